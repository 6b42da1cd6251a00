"""Engines with several faults: how they are drawn, what is true of them, and what is counted."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from parity.campaign import combined
from parity.campaign.combined import (
    CombinedScore,
    EngineResult,
    FaultResult,
    combined_score,
    markdown,
    run_engine,
)
from parity.campaign.faulty import FaultyEngine, engine_of, faulty_engine, steps, tape_faults
from parity.campaign.operation_faults import OperationFault, operation_faults
from parity.campaign.result import Report, SearchResult
from parity.cli.main import main
from parity.diagnose.causes import Category, Cause
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.adapters.torch import Torch
from parity.engines.runner import as_runner
from parity.generate.schedule import decoders_of, stream
from parity.language.program import Program
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from parity.oracle.finding import Finding, Kind


def program(*lines: str) -> Program:
    return program_from_text("\n".join(lines))


def fault(name: str, kind: str, where: str = "") -> OperationFault:
    faults = next(faults for one, faults in operation_faults() if one.says == kind)
    return next(one for one in faults if (one.name, one.where) == (name, where))


REUSE = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "backward(x1)")
NEG = program("x0 = leaf(3.0)", "x1 = neg(x0)", "backward(x1)")
NEG32 = program("x0 = leaf(3.0, float32)", "x1 = neg(x0)", "backward(x1)")
SINE = program("x0 = leaf(3.0)", "x1 = sin(x0)", "backward(x1)")
DOUBLED = fault("neg", "gradient doubled")
TWO = FaultyEngine([DEFECTS["overwrite"]], [DOUBLED])


# Engines.


def test_an_engine_has_all_its_faults() -> None:
    assert TWO.is_wrong(REUSE)
    assert TWO.is_wrong(NEG)
    assert not TWO.is_wrong(SINE)


def test_a_fault_matters_where_the_engine_differs_without_it() -> None:
    assert TWO.matters(REUSE) == {0}
    assert TWO.matters(NEG) == {1}
    assert TWO.matters(SINE) == set()
    both = program("x0 = leaf(3.0)", "x1 = neg(x0)", "x2 = add(x1, x1)", "backward(x2)")
    assert TWO.matters(both) == {0, 1}


def test_a_condition_restricts_a_fault() -> None:
    engine = FaultyEngine([], [fault("neg", "gradient doubled", "in float32")])
    assert engine.is_wrong(NEG32)
    assert not engine.is_wrong(NEG)


def test_an_exception_in_place_of_another_matters() -> None:
    raising = FaultyEngine([DEFECTS["unused-output-crashes"]], [fault("neg", "backward raises")])
    chain = program(
        "x0 = leaf([3.0, 2.0])",
        "x1 = neg(x0)",
        "x2, x3 = split(x1, axis=0, sizes=(1, 1))",
        "backward(x2)",
    )
    assert raising.matters(chain) == {0}


def test_formulas_of_gradients_use_right_operations() -> None:
    engine = engine_of([], [fault("mul", "value too large by one")])
    second = program(
        "x0 = leaf(3.0)",
        "x1 = exp(x0)",
        "backward(x1, create_graph=True)",
        "x2 = grad_of(x0)",
        "backward(x2)",
    )
    assert check_program(second, engine(), Torch()) is None


@pytest.mark.slow
def test_a_masked_fault_is_not_visible() -> None:
    programs = list(itertools.islice(stream(decoders_of(TapeEngine()), 0), 60))
    masking, masked = DEFECTS["second-backward-overwrites"], DEFECTS["root-leaf-overwritten"]
    assert not FaultyEngine([masking, masked], []).all_visible(iter(programs))
    assert FaultyEngine([masking], []).all_visible(iter(programs))


@pytest.mark.slow
def test_the_same_numbers_draw_the_same_engine() -> None:
    one, same, other = (faulty_engine(0, number) for number in (3, 3, 2))
    described = [[fault.description for fault in engine.faults] for engine in (one, same, other)]
    assert described[0] == described[1] != described[2]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_a_drawn_engine_has_two_to_six_faults_of_its_own(number: int) -> None:
    engine = faulty_engine(1, number)
    assert 2 <= len(engine.faults) <= 6
    assert len({one.name for one in engine.operations}) == len(engine.operations)
    for one, other in itertools.combinations(engine.tape, 2):
        assert not steps(one) & steps(other)


def test_faults_of_the_tape_are_single_ones_that_programs_show() -> None:
    names = {defect.name for group in tape_faults() for defect in group}
    assert {"overwrite", "stale-intermediates", "graph-kept"} <= names
    assert names.isdisjoint(
        {"micrograd-backward", "matmul-swapped", "every-fiftieth-backward", "recursion"}
    )


@pytest.mark.slow
def test_programs_show_each_kind_of_operation_fault() -> None:
    programs = list(itertools.islice(stream(decoders_of(TapeEngine()), 0), 500))
    for kind, faults in operation_faults():
        shown = (FaultyEngine([], [one]).all_visible(iter(programs)) for one in faults)
        assert any(shown), kind.says


# One check.


def checked(monkeypatch: pytest.MonkeyPatch, *causes: Cause) -> EngineResult:
    """The result of a check of ``TWO`` that ends with these causes."""

    def search(engine: Any, reference: Any, examples: int, seed: int) -> SearchResult:
        shown = Finding(Kind.GRADIENT, 0, "grad", 0, None, None)
        findings = [Report(one.finding or shown, None, 0, cause=one) for one in causes]
        return SearchResult(as_runner(engine), reference, seed, examples, findings=findings)

    monkeypatch.setattr(combined, "search", search)
    monkeypatch.setattr(combined, "faulty_engine", lambda seed, number: TWO)
    return run_engine(0, 0, 10)


def cause(name: str, witness: Program | None, *others: str, **more: Any) -> Cause:
    return Cause(
        Category.GRADIENT, name, "it is wrong", witness=witness, alternatives=others, **more
    )


def counts(result: EngineResult) -> list[tuple[bool, int]]:
    return [(fault.shown, fault.causes) for fault in result.faults]


def test_a_cause_names_a_fault_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    result = checked(monkeypatch, cause("overwrite", REUSE), cause("neg", NEG))
    assert counts(result) == [(True, 1), (True, 1)]
    assert all(fault.categorized for fault in result.faults)
    assert not any(one.invented for one in result.causes)


def test_a_name_counts_only_where_the_fault_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    result = checked(monkeypatch, cause("overwrite", NEG))
    assert counts(result) == [(False, 0), (True, 0)]
    assert result.causes[0].about == (1,)
    assert result.causes[0].names == ()


def test_an_alternative_names_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    description = DEFECTS["overwrite"].description
    result = checked(monkeypatch, cause("something-else", REUSE, description))
    assert counts(result)[0] == (True, 1)


def test_several_causes_of_one_fault_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    result = checked(monkeypatch, cause("neg", NEG), cause("neg", NEG32, where="in float32"))
    assert counts(result) == [(False, 0), (True, 2)]


def test_a_cause_whose_witness_is_right_is_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    result = checked(monkeypatch, cause("sin", SINE), cause("neg", None))
    assert [one.invented for one in result.causes] == [True, False]


def test_another_category_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Cause(Category.CRASH, "neg", "it raises", witness=NEG)
    assert not checked(monkeypatch, other).faults[1].categorized


@pytest.mark.slow
def test_findings_stand_for_causes_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FaultyEngine([DEFECTS["clear-does-nothing"]], [fault("sin", "value too large by one")])
    monkeypatch.setattr(combined, "faulty_engine", lambda seed, number: engine)
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    result = run_engine(0, 0, 100)
    assert [fault.shown for fault in result.faults] == [True, True]
    assert 0 < result.failing <= result.programs == 100


# A run.

FAULT = FaultResult("overwrite", "tape", "it is overwritten", True, 1, True)
KIND = FaultResult("neg", "gradient doubled", "gradient doubled", False, 0, False)
SCORE = CombinedScore(
    0, 500, 2, [EngineResult(0, (FAULT, KIND), (), 500, 9, 2.0, 1.0)], seconds=3.0
)


def test_the_table_has_faults_by_name_and_operations_by_kind() -> None:
    text = markdown(SCORE)
    assert "| `overwrite` | 1 | 1 | 1 | 0 |" in text
    assert "| gradient doubled | 1 | 0 | 0 | 0 |" in text
    assert "**Interrupted: 1 of 2 engines were measured.**" in text
    assert "shown: 1 of 2 (50.0%); named: 1 of 2 (50.0%)" in text
    assert "relative to DeZero: median 2.00, worst 2.00 (1 engines)" in text


def test_json_has_the_sums_and_the_engines() -> None:
    data = SCORE.to_json()
    assert (data["faults"], data["shown"], data["named"], data["complete"]) == (2, 1, 1, False)
    assert data["engines"][0]["faults"][0]["name"] == "overwrite"
    json.dumps(data)


def test_nothing_measured_is_said() -> None:
    assert "nothing was measured" in markdown(CombinedScore(0, 500, 2))


@pytest.mark.slow
def test_several_processes_measure_the_same() -> None:
    def faults(result: CombinedScore) -> list[tuple[FaultResult, ...]]:
        return [engine.faults for engine in result.engines]

    assert faults(combined_score(2, 30)) == faults(combined_score(2, 30, jobs=2))


def test_the_command_prints_and_writes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(combined, "run_engine", lambda seed, number, examples: SCORE.engines[0])
    file = tmp_path / "combined.json"
    command = ["score", "--combined", "2", "--examples", "7", "--seed", "3", "--json", str(file)]
    assert main(command) == 1
    assert "2 engines with 4 faults, 7 programs each, seed 3" in capsys.readouterr().out
    assert json.loads(file.read_text("utf-8"))["engines"][1]["number"] == 0
