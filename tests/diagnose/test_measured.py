"""Operations as an engine has them: measured by programs of one operation."""

from __future__ import annotations

import numpy as np
import pytest

from parity.diagnose.defects.base import Defect, rules_with
from parity.diagnose.measured import Measured
from parity.engines.runner import LocalRunner
from parity.engines.trace import RemoteFailure


def _raises(*_: object) -> tuple[object, ...]:
    raise KeyError("no gradient")


class _Wrong(Defect):
    name = "wrong"
    rules = rules_with(mul=lambda g, y, a, b: (3 * g, -g), exp=_raises)


_TWO, _THREE, _ONE = np.array(2.0), np.array(3.0), np.array(1.0)


def test_values_and_gradients_are_those_of_the_engine() -> None:
    measured = Measured(LocalRunner(_Wrong()))
    assert list(measured.values("mul", (), (_TWO, _THREE))) == [6.0]
    for first, expected in ((True, [3.0, -1.0]), (False, [None, -1.0])):
        slopes = measured.slopes("mul", (), (_TWO, _THREE), (first, True), (_ONE,), (0,))
        assert list(slopes) == expected


def test_what_the_engine_raises_is_raised() -> None:
    measured = Measured(LocalRunner(_Wrong()))
    with pytest.raises(RemoteFailure, match="KeyError"):
        measured.slopes("exp", (), (_TWO,), (True,), (_ONE,), (0,))


def test_a_program_runs_once() -> None:
    runner = LocalRunner(_Wrong())
    measured = Measured(runner)
    first = measured.values("mul", (), (_TWO, _THREE))
    runner.run = None  # type: ignore[method-assign, assignment]
    assert measured.values("mul", (), (_TWO, _THREE)) == first
