"""Reports say in words what an error of that size may come from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.campaign.operation_report import OperationReport
from parity.campaign.search import search
from parity.diagnose.operations import measure_operations
from parity.engines.adapters.torch import Torch, with_gradient
from parity.engines.runner import as_runner
from parity.oracle.combined import error_size
from parity.oracle.finding import Finding, Kind
from tests.helpers.programs import TORCH

pytestmark = pytest.mark.slow

LINE = "of the largest number: a float32 constant, or an epsilon in the formula"
#: A constant of the gradients that are wrong, rounded to float32.
ROUNDED = float(np.float32(1.1)) / 1.1


class Faulty(Torch):
    """A constant of a gradient of an operation without rules, and of one with rules, is float32."""

    name = "faulty"
    dtypes = ("float64",)

    def __init__(self) -> None:
        super().__init__()
        plain = self.ops

        def inaccurate(name: str) -> Any:
            return lambda a, **attrs: plain[name](with_gradient(a, lambda g: g * ROUNDED), **attrs)

        wrong = with_gradient
        self.ops = {  # type: ignore[misc]
            "erf": inaccurate("erf"),
            "exp": inaccurate("exp"),
            "sin": lambda a: plain["sin"](wrong(a, lambda g: -g)),
            "add": plain["add"],
        }


def test_each_cause_of_an_operation_says_so() -> None:
    report = OperationReport(measure_operations(as_runner(Faulty()), TORCH))
    lines = report.text().splitlines()
    assert sum(line.endswith(LINE) for line in lines) == 2
    assert not any("wrong" in line for line in lines if "size of the error" in line)
    said = {c["name"]: c["error_size"]["says"] for c in report.to_json()["causes"]}
    assert said.pop("sin") == "wrong"
    assert said.keys() == {"erf", "exp"}
    assert set(said.values()) == {LINE.partition(": ")[2]}


def test_each_finding_says_so() -> None:
    result = search(Faulty(), TORCH, 20, ops=("erf", "add"))
    assert sum(line.endswith(LINE) for line in result.text().splitlines()) == 2
    data = result.to_json()
    for some in data["findings"], data["causes"]:
        sizes = [each["error_size"] for each in some]
        assert all(1e-13 < size["relative"] < 1e-6 for size in sizes)
        assert [size["says"] for size in sizes] == [LINE.partition(": ")[2]] * 2


@pytest.mark.parametrize(
    ("engine", "reference", "allowed"),
    [
        ("an exception", "no exception", None),
        (None, np.ones(2), 0.0),
        (np.ones(3), np.ones(2), 0.0),
        (np.array([np.nan]), np.ones(1), 0.0),
        (np.zeros(0), np.zeros(0), 0.0),
        (np.ones(2, np.int64), np.ones(2), 0.0),
        (np.zeros(2), np.zeros(2), 0.0),
        (np.ones(2), np.ones(2), None),
    ],
)
def test_what_has_no_size(engine: Any, reference: Any, allowed: Any) -> None:
    finding = Finding(Kind.GRADIENT, 0, "grad", 0, engine, reference, allowed=allowed)
    assert error_size(finding, None) is None


def test_a_gradient_where_there_should_be_zeros_is_wrong() -> None:
    arrays = np.full(2, 1e-12), np.zeros(2)
    size = error_size(Finding(Kind.GRADIENT, 0, "grad", 0, *arrays, allowed=0.0), None)
    assert size == {"relative": 1.0, "says": "wrong"}
