"""Exposure: what programs exercised, cell by cell, and what they could have and did not."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from parity.cli.main import main
from parity.generate.coverage import PATTERNS, ROLES, Coverage
from parity.generate.decoder import Decoder
from parity.generate.profiles import Profile
from parity.generate.schedule import sweep
from parity.language import program as pr
from parity.language.table import with_rules
from tests.helpers.other_engine import Scalars, Tape
from tests.helpers.programs import DEZERO, apply, constant, leaf, program, searched

X, PAIR = leaf(3.0), leaf([3.0, 2.0])


def _of(*programs: pr.Program, engine: Any = DEZERO) -> Coverage:
    exposure = Coverage.of(engine)
    for case in programs:
        exposure.add(case)
    return exposure


OPERANDS: list[tuple[pr.Program, dict[tuple[Any, ...], int]]] = [
    (
        program([X, X], apply("sub", 0, 1)),
        {("sub", 0, "leaf"): 1, ("sub", 1, "leaf"): 1},
    ),
    (
        program([X], apply("neg", 0), apply("neg", 1)),
        {("neg", 0, "leaf"): 1, ("neg", 0, "computed"): 1},
    ),
    (
        program([X], apply("mul", 0, 0)),
        {
            **{("mul", place, role): 1 for place in (0, 1) for role in ("leaf", "reused", "same")},
        },
    ),
    (
        program([X, X], apply("mul", 0, 1), apply("neg", 0)),
        {
            ("mul", 0, "leaf"): 1,
            ("mul", 0, "reused"): 1,
            ("mul", 1, "leaf"): 1,
            ("neg", 0, "leaf"): 1,
            ("neg", 0, "reused"): 1,
        },
    ),
    (
        program(
            [leaf(3.0, requires_grad=False), X],
            apply("neg", 0),
            pr.Detach(1),
            apply("mul", 2, 3),
            apply("neg", 1, no_grad=True),
            apply("square", 5),
        ),
        {
            ("neg", 0, "constant"): 1,
            ("neg", 0, "leaf"): 1,
            ("mul", 0, "constant"): 1,
            ("mul", 1, "constant"): 1,
            ("square", 0, "constant"): 1,
        },
    ),
    (
        program([PAIR], apply("concat", 0, 0, 0, axis=0)),
        {
            ("concat", 0, "leaf"): 1,
            ("concat", 0, "reused"): 1,
            ("concat", 0, "same"): 1,
            ("concat", 1, "leaf"): 2,
            ("concat", 1, "reused"): 2,
            ("concat", 1, "same"): 2,
        },
    ),
]


@pytest.mark.parametrize(("case", "cells"), OPERANDS, ids=lambda x: str(x)[:40])
def test_operands_by_position_and_role(case: pr.Program, cells: dict[tuple[Any, ...], int]) -> None:
    assert dict(_of(case).counts["operands"]) == cells


def test_uses_of_values() -> None:
    case = program([X], *(apply("add", 0, 0) for _ in range(3)), apply("add", 1, 2))
    assert dict(_of(case).counts["uses"]) == {(5,): 1, (1,): 2}
    assert dict(_of(program([X, X, X], apply("add", 0, 1), apply("add", 0, 2))).counts["uses"]) == {
        (2,): 1,
        (1,): 2,
    }


@pytest.mark.parametrize(
    ("left", "right", "pattern"),
    [
        (2.0, 3.0, "equal"),
        ([2.0, 3.0], [1.0, 1.0], "equal"),
        (2.0, [1.0, 1.0], "left lacks axes"),
        ([1.0, 1.0], [[1.0, 1.0]], "left lacks axes"),
        ([1.0], [1.0, 1.0], "left has axes of length 1"),
        ([1.0], [[1.0, 1.0]], "left lacks axes and has some of length 1"),
        ([1.0, 1.0], 2.0, "right lacks axes"),
        ([[1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0]], "right has axes of length 1"),
        ([[1.0, 1.0]], [1.0], "right lacks axes and has some of length 1"),
        ([[1.0], [1.0]], [[1.0, 1.0]], "both are smaller"),
        ([1.0, 1.0], [[1.0], [1.0]], "both are smaller"),
    ],
)
def test_ranks_and_shapes_of_two_operands(left: Any, right: Any, pattern: str) -> None:
    case = program([leaf(left), leaf(right)], apply("add", 0, 1))
    exposure = _of(case)
    assert dict(exposure.counts["broadcasting"]) == {(pattern,): 1}
    assert pattern in PATTERNS
    ranks = sorted(len(x.shape) for x in case.leaves)
    assert sorted(rank for (rank,) in exposure.counts["ranks"].elements()) == ranks


def test_one_operand_and_products_of_matrices_are_not_broadcast() -> None:
    assert not _of(program([PAIR], apply("neg", 0), apply("matmul", 0, 0))).counts["broadcasting"]


def test_sequences_of_events() -> None:
    seed = constant(1.0)
    case = program(
        [X],
        pr.Backward(0),
        apply("neg", 0),
        pr.Backward(1),
        pr.Clear((0,)),
        pr.Backward(1, seed),
        pr.ChangeGradient(),
        pr.Zero((0,)),
        pr.ChangeGrad(0),
    )
    assert dict(_of(case).counts["events"]) == {
        ("backward", "backward"): 1,
        ("backward", "cleargrad"): 1,
        ("cleargrad", "backward"): 1,
        ("backward", "cleargrad", "backward"): 1,
        ("backward", "change_gradient"): 1,
        ("change_gradient", "zero_grad"): 1,
        ("zero_grad", "change_grad"): 1,
    }


# What could have been reached.


def test_cells_are_those_that_the_engine_has() -> None:
    cells = _of().reachable
    assert {op for op, *_ in cells["operands"]} == set(with_rules())
    assert {role for *_, role in cells["operands"]} == set(ROLES)
    assert len(set(cells["operands"])) == len(cells["operands"])
    few = _of(engine=Scalars()).reachable
    assert {op for op, *_ in few["operands"]} == {"add", "mul", "neg"}
    assert {role for *_, role in few["operands"]} == set(ROLES) - {"constant"}
    assert few["ranks"] == [(0,)]
    assert few["broadcasting"] == [("equal",)]
    assert {word for cell in few["events"] for word in cell} == {"backward", "change_gradient"}
    assert ("change_gradient", "change_gradient") not in few["events"]
    assert {op for op, *_ in Coverage.of(DEZERO, ("neg",)).reachable["operands"]} == {"neg"}


def test_only_operands_that_fit_may_be_the_same_value() -> None:
    cells = set(_of().reachable["operands"])
    assert ("neg", 0, "same") not in cells
    assert {("matmul", 0, "same"), ("matmul", 1, "same"), ("concat", 1, "same")} <= cells
    assert {("mean_squared_error", 0, "same"), ("linear", 0, "same")} <= cells


def test_what_was_reached_is_not_missed() -> None:
    case = program([X, X], apply("sub", 0, 1))
    exposure = _of(case, engine=Tape())
    missed = exposure.missed("operands")
    assert ("sub", 0, "leaf") not in missed
    assert ("sub", 0, "same") in missed
    assert len(missed) == len(exposure.reachable["operands"]) - 2
    assert exposure.missed("uses") == [(2,), (3,), (4,), (5,)]


def test_generated_programs_reach_nothing_that_is_said_to_be_out_of_reach() -> None:
    for engine in (DEZERO, Tape(), Scalars()):
        exposure = Coverage.of(engine)
        for case, _ in zip(searched(engine, 3), range(500), strict=False):
            exposure.add(case)
        for group, counts in exposure.counts.items():
            assert set(counts) - set(exposure.reachable[group]) == set()


def test_each_operand_of_an_operation_with_three_has_every_role() -> None:
    exposure = Coverage.of(DEZERO, ("linear", "mul"))
    decoder = Decoder.of(Profile("three", ops=("linear", "mul"), events={"backward": 4}), DEZERO)
    for case in itertools.islice(sweep(decoder, 1), 1500):
        exposure.add(case)
    assert exposure.missed("operands") == []


def test_operations_of_any_number_of_operands_have_two_or_three() -> None:
    decoder = Decoder.of(Profile("any", ops=("concat", "stack", "add")), DEZERO)
    counts = Counter(
        (s.op, len(s.inputs))
        for case in itertools.islice(sweep(decoder, 1), 300)
        for s in case.statements
        if isinstance(s, pr.Apply) and s.op != "add"
    )
    assert set(counts) == {(op, n) for op in ("concat", "stack") for n in (2, 3)}
    assert min(counts.values()) > 30


# The command.


def _check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    command = ["check", "--engine", "dezero", "--examples", "28", "--json", "r.json", *arguments]
    assert main(command) == 0
    result: dict[str, Any] = json.loads(Path("r.json").read_text())
    return result


def test_the_command_shows_exposure_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "exposure" not in _check(monkeypatch, tmp_path)
    assert "exposure" not in capsys.readouterr().out
    exposure = _check(monkeypatch, tmp_path, "--exposure")["exposure"]
    out = capsys.readouterr().out
    assert "\nexposure: 28 programs\n" in out
    assert "  operations by position and role of the operand: " in out
    assert "    not reached: " in out
    assert exposure["programs"] == 28
    assert exposure["operands"]["add 0 leaf"] > 0
    assert set(exposure["not_reached"]) == {"operands", "uses", "ranks", "broadcasting", "events"}
    assert not set(exposure["operands"]) & set(exposure["not_reached"]["operands"])
