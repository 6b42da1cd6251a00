"""The fit of a tape: which faults it names, what it explains and whom it blames."""

from __future__ import annotations

from typing import Any

import pytest

from parity.diagnose.causes import Category
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.parameters import PARAMETERS, combined
from parity.diagnose.model import Model, fit
from parity.diagnose.operations import measure_operations
from parity.engines.runner import LocalRunner
from parity.language.text_format import program_from_text
from tests.helpers.programs import TORCH

#: Few operations, so that tests are fast.
_OPS = ("add", "mul", "neg", "square", "matmul", "sum")


def _fitted(*names: str) -> Model:
    cls = combined([DEFECTS[name] for name in names])
    engine = cls()
    engine.ops = {name: engine.ops[name] for name in _OPS}  # type: ignore[misc]
    runner = LocalRunner(engine)
    return fit(runner, TORCH, measure_operations(runner, TORCH))


@pytest.mark.slow
def test_a_right_engine_has_an_empty_model() -> None:
    runner = LocalRunner(TapeEngine())
    model = fit(runner, TORCH, measure_operations(runner, TORCH, _OPS))
    assert model.causes == []
    assert model.tape.runs == 0
    assert model.of == model.explained > 200


@pytest.mark.slow
@pytest.mark.parametrize("name", ["overwrite", "zero-clears", "broadcasting-not-undone"])
def test_a_single_defect_is_named(name: str) -> None:
    model = _fitted(name)
    (cause,) = model.causes
    assert DEFECTS[name].description in (cause.sentence, *cause.alternatives)
    assert cause.category is Category.GRADIENT
    assert cause.finding is not None
    assert model.table.causes(model.explained_cells) == []


@pytest.mark.slow
def test_three_faults_and_a_wrong_operation_are_named_once() -> None:
    model = _fitted("overwrite", "graph-kept", "clear-does-nothing", "matmul-swapped")
    names = {cause.name for cause in model.causes}
    assert names == {"overwrite", "graph-kept", "clear-does-nothing"}
    assert {c.name for c in model.table.causes(model.explained_cells)} == {"matmul"}
    (kept,) = (c for c in model.causes if c.name == "graph-kept")
    assert (kept.category, kept.quirk) == (Category.CONVENTION, "keeps-graphs")


@pytest.mark.slow
def test_a_program_is_blamed_on_what_it_needs() -> None:
    model = _fitted("overwrite", "matmul-swapped")

    def blamed(text: str) -> set[Any]:
        program = program_from_text(text)
        trace = model.engine.run(program)
        assert model.explains(program, trace)
        return {cause.name for cause in model.blame(program, trace)}

    assert blamed("x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)") == {"overwrite"}
    matrices = "x0 = leaf([[3.0, 2.0], [1.0, 5.0]])\nx1 = leaf([[2.0, 1.0], [4.0, 3.0]])\n"
    product = "x2 = matmul(x0, x1)\nbackward(x2, gradient=[[1.0, 2.0], [3.0, 4.0]])"
    assert blamed(matrices + product) == {"matmul"}


@pytest.mark.slow
def test_another_run_is_not_explained() -> None:
    model = _fitted("overwrite")
    program = program_from_text("x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)")
    trace = LocalRunner(DEFECTS["same-operand-doubled"]()).run(program)
    assert not model.explains(program, trace)
    assert model.blame(program, trace) == ()


def test_parameters_have_every_value_once() -> None:
    values = [value for parameter in PARAMETERS for value in parameter.values]
    assert len(values) == len(set(values))
    assert all(DEFECTS[value.name] is value for value in values)
