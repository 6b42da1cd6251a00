"""Parameter: a Variable that is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero.graph import Array
from dezero.variable import Variable


class Parameter(Variable):
    """A leaf that belongs to a layer and that optimizers update.

    ``data`` may be None until the shapes of inputs are known, as in the book; until
    then the parameter cannot be used.
    """

    __slots__ = ()

    def __init__(
        self, data: Array | None, name: str | None = None, requires_grad: bool | None = None
    ) -> None:
        if data is not None:
            super().__init__(data, name, requires_grad)
            return
        super().__init__(np.empty(0), name, requires_grad)
        self._data = None

    @property
    def data(self) -> Any:
        """The array, or None."""
        return None if self._data is None else Variable.data.fget(self)  # type: ignore[attr-defined]

    @data.setter
    def data(self, data: Any) -> None:
        Variable.data.fset(self, data)  # type: ignore[attr-defined]
