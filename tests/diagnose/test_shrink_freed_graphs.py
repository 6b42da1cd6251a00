"""Programs are not shrunk to a backward through a freed graph."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.operations import UnusedOutputCrashes
from parity.diagnose.shrink import reruns_freed_graph
from parity.language import program as pr
from tests.helpers.programs import (
    apply,
    check,
    constant,
    leaf,
    program,
    reduced_cases,
)

SEEDED = pr.Backward(1, constant([1.0, 2.0]))


KEPT = pr.Backward(1, constant([1.0, 2.0]), retain_graph=True)


RECORDED = pr.Backward(1, constant([1.0, 2.0]), create_graph=True)


@pytest.mark.parametrize(
    ("statements", "reruns"),
    [
        ((apply("add", 0, 0), SEEDED, SEEDED), True),
        ((apply("add", 0, 0), KEPT, SEEDED), False),
        ((apply("add", 0, 0), RECORDED, SEEDED), False),
        ((apply("add", 0, 0), KEPT, SEEDED, SEEDED), True),
        ((apply("add", 0, 0), SEEDED, apply("neg", 0), replace(SEEDED, value=2)), False),
        ((apply("add", 0, 0), apply("neg", 1), SEEDED, replace(SEEDED, value=2)), True),
        ((apply("add", 0, 0), SEEDED, apply("neg", 1), replace(SEEDED, value=2)), True),
        ((apply("add", 0, 0), SEEDED, pr.Detach(1), replace(SEEDED, value=2)), False),
        ((replace(SEEDED, value=0), replace(SEEDED, value=0)), False),
        ((apply("add", 0, 0), SEEDED, pr.TakeGrad(0), replace(SEEDED, value=2)), False),
        (
            (
                apply("mul", 0, 0),
                RECORDED,
                pr.TakeGrad(0),
                replace(SEEDED, value=2),
                replace(SEEDED, value=2),
            ),
            True,
        ),
    ],
    ids=str,
)
def test_backwards_through_freed_graphs_are_known(
    statements: tuple[pr.Statement, ...], reruns: bool
) -> None:
    assert reruns_freed_graph(program([leaf([3.0, 2.0])], *statements)) is reruns


@pytest.mark.parametrize("seed", [0, 4])
def test_no_finding_is_reduced_to_what_right_engines_refuse(seed: int) -> None:
    """A second backward through an addition raises in some engines, not in PyTorch."""
    engine = UnusedOutputCrashes()
    for _, _, small, _ in reduced_cases(engine, 2, seed, frozenset({"exception"})):
        assert not reruns_freed_graph(small)
        assert check(small, TapeEngine()) is None
