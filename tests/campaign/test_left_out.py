"""Operations that end the process of an engine again and again are left out, and named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.campaign.operation_report import OperationReport
from parity.campaign.search import search
from parity.diagnose.operations import measure_operations
from parity.engines.isolation.isolated import IsolatedRunner
from parity.engines.isolation.process import Forked, Source
from parity.engines.limits import Limits
from parity.language.program import Program
from parity.oracle.verdict import left_out_lines
from tests.helpers.isolated_engines import CrashesInFive
from tests.helpers.programs import TORCH, apply, leaf, program

pytestmark = pytest.mark.slow

ENGINES = Path(__file__).parents[1] / "helpers" / "isolated_engines.py"
CRASHING = set(CrashesInFive.crashing)
OPS = (*CrashesInFive.crashing, "add", "mul", "sum")
LINE = "left out after 3 crashes: neg, exp, add_scalar, crash_one, crash_two"


class Counting(IsolatedRunner):
    """Counts the processes that it starts."""

    def __init__(self, name: str, source: Source) -> None:
        self.started = 0
        super().__init__(f"{ENGINES}:{name}", Limits(0.5, 500), source)

    def restart(self) -> None:
        self.started += 1
        super().restart()


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    source = Forked()
    yield source
    source.close()


@pytest.fixture
def crashing(source: Source) -> Iterator[Counting]:
    engine = Counting("CrashesInFive", source)
    yield engine
    engine.close()


def test_every_operation_alone(crashing: Counting) -> None:
    report = OperationReport(measure_operations(crashing, TORCH, OPS))
    assert crashing.started == 4 * len(CRASHING)  # the last of each for the report
    assert {cause.name for cause in report.causes} == CRASHING
    assert {cause.category for cause in report.causes} == {"crash"}
    assert LINE in report.text().splitlines()
    assert report.to_json()["left_out"] == dict.fromkeys(crashing.left_out, "crash")
    assert {op: len(report.by_op[op]) for op in CRASHING} == dict.fromkeys(CRASHING, 3)
    assert all(r.outcome == "right" for r in report.table.results if r.cell.op not in CRASHING)


def test_random_programs(crashing: Counting) -> None:
    result = search(crashing, TORCH, 100, ops=OPS)
    assert {cause.name for cause in result.causes} == CRASHING
    assert (result.unexplained, result.cut) == (0, False)
    assert LINE in result.text().splitlines()
    assert result.to_json()["left_out"] == dict.fromkeys(crashing.left_out, "crash")
    assert result.programs >= 90
    assert result.failing <= 33  # those that were sent ahead of the first finding
    assert crashing.started < 70


def test_programs_that_were_sent_ahead_are_left_out_too(crashing: Counting) -> None:
    wrong, right = _programs("neg", 6), _programs("mul", 2)
    programs = [*wrong[:3], right[0], *wrong[3:], right[1]]
    runs = [run for some in crashing.run_many(programs, leave_out=True) for run in some]
    assert [p for p, _ in runs] == programs
    failed = [None if trace is None else trace.failure is not None for _, trace in runs]
    assert failed == [True, True, True, False, None, None, None, False]
    assert crashing.started == 3


def test_a_program_that_is_asked_for_alone_runs(crashing: Counting) -> None:
    for each in _programs("neg", 4):
        failure = crashing.run(each).failure
        assert failure is not None
        assert failure.kind == "crash"
    ((_, trace),) = (run for some in crashing.run_many(_programs("neg", 1)) for run in some)
    assert trace is not None


def test_a_program_of_several_operations_blames_none(crashing: Counting) -> None:
    several = program([leaf(3.0)], apply("mul", 0, 0), apply("neg", 1))
    for _ in range(4):
        assert crashing.run(several).failure is not None
    assert crashing.left_out == {}


def test_operations_that_do_not_end_are_left_out(source: Source) -> None:
    engine = Counting("LoopsInTwo", source)
    try:
        report = OperationReport(measure_operations(engine, TORCH, ("neg", "exp", "add", "mul")))
    finally:
        engine.close()
    assert engine.started == 4 * 2
    assert {cause.name for cause in report.causes} == {"neg", "exp"}
    assert "left out after 3 runs without an end: neg, exp" in report.text().splitlines()


def test_of_very_many_the_first_are_named() -> None:
    (line,) = left_out_lines({f"op{i}": "crash" for i in range(30)})
    assert line.endswith(", op19, 10 more")


def _programs(op: str, count: int) -> list[Program]:
    operands = (0,) * (2 if op == "mul" else 1)
    return [program([leaf(3.0 + i)], apply(op, *operands)) for i in range(count)]
