"""Cells: one operation alone, with everything that an engine declares."""

from __future__ import annotations

import pytest

from parity.diagnose.cells import Cell, Scope, cells_of
from parity.diagnose.conditions import CONDITIONS
from parity.language import program as pr
from parity.language.table import with_rules
from parity.language.text_format import program_from_text

EVERY = {name: cells_of(name, Scope()) for name in with_rules()}


def test_an_engine_with_all_operations_has_a_few_thousand_cells() -> None:
    assert 1000 < sum(map(len, EVERY.values())) < 3500
    assert min(map(len, EVERY.values())) >= 15


@pytest.mark.parametrize("name", with_rules())
def test_each_cell_applies_one_operation_to_distinct_leaves(name: str) -> None:
    programs = [cell.program for cell in EVERY[name]]
    assert len(set(programs)) == len(programs)
    for program in programs:
        program.validate()
        (apply,) = (s for s in program.statements if isinstance(s, pr.Apply))
        assert (apply.op, apply.inputs) == (name, tuple(range(len(program.leaves))))


def test_cells_have_what_the_engine_declares_and_nothing_else() -> None:
    small = Scope(("float32",), 0, constants=False, second_order=False)
    for cell in (cell for name in with_rules() for cell in cells_of(name, small)):
        assert all(info.shape == () and info.dtype == "float32" for info in cell.program.infos)
        assert all(leaf.requires_grad for leaf in cell.program.leaves)
        assert len(cell.program.statements) == 2


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: c.name)
def test_each_condition_holds_in_some_cells_and_not_in_others(condition: object) -> None:
    name = condition.name  # type: ignore[attr-defined]
    held = [name in cell.conditions for cells in EVERY.values() for cell in cells]
    assert any(held)
    assert not all(held)


@pytest.mark.parametrize(
    ("text", "holds", "does_not"),
    [
        ("x0 = leaf([2.0, 3.0, 3.0])\nx1 = max(x0, axis=0, keepdims=False)", "ties", "many-ties"),
        ("x0 = leaf([2.0, 2.0, 3.0])\nx1 = min(x0, axis=-1, keepdims=True)", "ties", "no-keepdims"),
        ("x0 = leaf([3.0, 3.0, 3.0])\nx1 = max(x0, axis=None, keepdims=False)", "all-tie", "axis"),
        ("x0 = leaf([[3.0, 2.0]])\nx1 = transpose(x0, axes=(-1, 0))", "mixed-axes", "not-inverse"),
        (
            "x0 = leaf([3.0])\nx1 = get_item(x0, index=(('list', (0, 0)),))",
            "repeated-index",
            "slice",
        ),
        ("x0 = leaf(2.0)\nx1 = clip(x0, x_max=2.0, x_min=-1.0)", "at-upper", "at-lower"),
        ("x0 = leaf(-2.0)\nx1 = clip(x0, x_max=2.0, x_min=-1.0)", "below", "at-bound"),
        (
            "x0 = leaf([3.0, 2.0])\nx1 = leaf(2.0)\nx2 = add(x0, x1)",
            "second-broadcast",
            "first-broadcast",
        ),
        ("x0 = leaf([3.0, 2.0])\nx1 = get_item(x0, index=1)", "bare-index", "slice"),
        ("x0 = leaf([0.0, 2.0])\nx1 = square(x0)", "zero", "all-zero"),
    ],
)
def test_conditions_of_a_program(text: str, holds: str, does_not: str) -> None:
    program = program_from_text(text)
    (apply,) = program.statements
    assert isinstance(apply, pr.Apply)
    backward = pr.Backward(len(program.infos) - 1)
    cell = Cell(apply.op, apply.attrs, pr.Program(program.leaves, (apply, backward)))
    assert holds in cell.conditions
    assert does_not not in cell.conditions
