"""What a Variable has of an array: shape, conversions, text, operators; nothing of gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dezero.graph import Data
    from dezero.variable import Operand, Variable


class ArrayLike:
    """The array side of ``Variable``; operators and methods are set by dezero/operators.py."""

    __slots__ = ()

    if TYPE_CHECKING:
        _data: Data

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return self._data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        return self._data.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype  # type: ignore[no-any-return]

    def item(self) -> float:
        """The value of a Variable with one element as a Python number."""
        return self._data.item()  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Variable]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d variable")
        return (self[i] for i in range(len(self)))

    def __len__(self) -> int:
        return len(self._data)

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> float:
        return float(self._data)

    def __int__(self) -> int:
        return int(self._data)

    def __repr__(self) -> str:
        return "variable(" + str(self._data).replace("\n", "\n" + " " * 9) + ")"

    def __str__(self) -> str:
        return str(self._data)

    def __format__(self, spec: str) -> str:
        return format(self._data[()] if spec and self.ndim == 0 else str(self._data), spec)

    if TYPE_CHECKING:  # set by dezero/operators.py from the functions
        T: Variable

        def __add__(self, other: Operand) -> Variable: ...
        def __radd__(self, other: Operand) -> Variable: ...
        def __sub__(self, other: Operand) -> Variable: ...
        def __rsub__(self, other: Operand) -> Variable: ...
        def __mul__(self, other: Operand) -> Variable: ...
        def __rmul__(self, other: Operand) -> Variable: ...
        def __truediv__(self, other: Operand) -> Variable: ...
        def __rtruediv__(self, other: Operand) -> Variable: ...
        def __matmul__(self, other: Operand) -> Variable: ...
        def __rmatmul__(self, other: Operand) -> Variable: ...
        def __pow__(self, other: Operand) -> Variable: ...
        def __rpow__(self, other: Operand) -> Variable: ...
        def __neg__(self) -> Variable: ...
        def __abs__(self) -> Variable: ...
        def __getitem__(self, index: Any) -> Variable: ...
        def reshape(self, *shape: int | Sequence[int]) -> Variable: ...
        def transpose(self, *axes: int | Sequence[int] | None) -> Variable: ...
        def sum(
            self, axis: int | Sequence[int] | None = None, keepdims: bool = False
        ) -> Variable: ...
        def mean(
            self, axis: int | Sequence[int] | None = None, keepdims: bool = False
        ) -> Variable: ...
        def astype(self, dtype: Any) -> Variable: ...
