"""An operation that raises in the backward of its second result is the only cause."""

from __future__ import annotations

from typing import Any

import pytest

from parity.campaign.search import search
from parity.engines.adapters.torch import Torch, with_gradient
from tests.helpers.programs import TORCH


def _refuse(g: Any) -> Any:
    raise ValueError("no gradient of the second result")


class RaisesForSecond(Torch):
    """The backward of the second result of one operation raises."""

    name = "raises-for-second"

    def __init__(self, op: str) -> None:
        super().__init__()
        plain = self.ops

        def several(*xs: Any, **attrs: Any) -> tuple[Any, ...]:
            first, *others = plain[op](*xs, **attrs)
            return first, *(with_gradient(t, _refuse) for t in others[:1]), *others[1:]

        kept = {name: plain[name] for name in ("add", "mul", "sum", "reshape", "exp")}
        self.ops = {**kept, op: several}  # type: ignore[misc]


@pytest.mark.parametrize("op", ["split", pytest.param("unbind", marks=pytest.mark.slow)])
def test_there_is_one_cause(op: str) -> None:
    result = search(RaisesForSecond(op), TORCH, 150)
    (found,) = result.findings
    assert found.cause is not None
    assert found.cause.ops == {op}
    assert found.cause.where == "from an output that is not the first"
    assert result.unexplained == 0
    assert found.cause.programs == result.failing > 10
