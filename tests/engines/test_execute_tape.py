"""What statements of the tape show on PyTorch, dezero, and the engine of the defects."""

from __future__ import annotations

from typing import Any

import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.engines.adapters.dezero import Dezero
from parity.engines.adapters.micrograd import Micrograd
from parity.engines.adapters.torch import Torch
from parity.engines.execute import execute
from parity.engines.isolation.isolated import IsolatedRunner
from parity.engines.runner import as_runner
from parity.language.text_format import program_from_text
from parity.oracle.one_program import run

ENGINES = (Torch(), Dezero(), TapeEngine())


def _shown(text: str, engine: Any) -> list[tuple[int, str, int, Any]]:
    trace = execute(program_from_text(text), engine)
    assert trace.failure is None, trace.failure
    return [(*o[:3], None if o.array is None else o.array.tolist()) for o in trace.observations]


def _of(text: str, engine: Any, what: str, which: int) -> list[Any]:
    return [array for _, name, i, array in _shown(text, engine) if (name, i) == (what, which)]


X = "x0 = leaf(3.0)\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hook_is_called_once_with_the_sum_and_replaces_the_gradient(engine: Any) -> None:
    text = X + "x1 = mul(x0, x0)\nh0 = hook(x1, kind='shift')\nx2 = add(x1, x1)\nbackward(x2)"
    assert _of(text, engine, "calls", 0) == [1.0]
    assert _of(text, engine, "hook", 0) == [2.0]
    assert _of(text, engine, "grad", 0) == [18.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_hooks_run_in_order_until_they_are_removed(engine: Any) -> None:
    text = X + (
        "h0 = hook(x0, kind='double')\nh1 = hook(x0, kind='shift')\nbackward(x0)\n"
        "remove(h0)\nbackward(x0)"
    )
    assert _of(text, engine, "hook", 1) == [2.0, 1.0]
    assert _of(text, engine, "calls", 0) == [1.0, 0.0]
    assert _of(text, engine, "grad", 0) == [3.0, 5.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_kept_gradient_accumulates_and_is_that_after_the_hooks(engine: Any) -> None:
    text = X + (
        "x1 = neg(x0)\nretain_grad(x1)\nh0 = hook(x1, kind='double')\n"
        "backward(x1, retain_graph=True)\nbackward(x1)"
    )
    assert _of(text, engine, "grad", 1) == [2.0, 4.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_assigned_gradient_is_a_copy_that_is_added_to(engine: Any) -> None:
    text = X + "set_grad(x0, gradient=5.0)\nchange_gradient()\nbackward(x0)"
    assert _of(text, engine, "grad", 0) == [5.0, 5.0, 6.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_all_roots_count_and_inputs_restrict(engine: Any) -> None:
    text = "x0 = leaf(3.0)\nx1 = leaf(2.0)\nx2 = mul(x0, x1)\n"
    text += "backward_many([x2, x0, x2], gradients=[1.0, 10.0, None], retain_graph=True)\n"
    text += "backward_many([x2], inputs=[x1])"
    assert _of(text, engine, "grad", 0) == [14.0, 14.0]
    assert _of(text, engine, "grad", 1) == [6.0, 9.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_as_values_leave_the_leaves_alone(engine: Any) -> None:
    text = "x0 = leaf(3.0)\nx1 = leaf(2.0)\nx2 = mul(x0, x0)\nx3 = neg(x2)\n"
    text += "x4, x5, x6 = grad([x3], [x0, x1, x2], allow_unused=True)"
    assert [_of(text, engine, "result", i) for i in (4, 5, 6)] == [[-6.0], [None], [-1.0]]
    assert _of(text, engine, "grad", 0) == [None]


@pytest.mark.parametrize("engine", ENGINES)
def test_third_order(engine: Any) -> None:
    text = X + (
        "x1 = mul(x0, x0)\nx2 = mul(x1, x0)\nx3 = grad([x2], [x0], create_graph=True)\n"
        "x4 = grad([x3], [x0], create_graph=True)\nx5 = grad([x4], [x0])"
    )
    assert [_of(text, engine, "result", i) for i in (3, 4, 5)] == [[27.0], [18.0], [6.0]]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_unused_input_raises_unless_it_is_allowed(engine: Any) -> None:
    case = program_from_text("x0 = leaf(3.0)\nx1 = leaf(2.0)\nx2 = grad([x0], [x1])")
    failure = execute(case, engine).failure
    assert failure is not None
    assert failure.statement == 0


def test_an_engine_in_a_process_of_its_own_shows_the_same() -> None:
    text = X + "x1 = neg(x0)\nretain_grad(x1)\nh0 = hook(x1, kind='double')\nx2 = grad([x1], [x0])"
    case = program_from_text(text)
    runner = IsolatedRunner("dezero")
    try:
        assert runner.supports(case)
        assert runner.run(case).result() == execute(case, Dezero()).result()
    finally:
        runner.close()


def test_an_engine_without_a_method_does_not_support_its_statements() -> None:
    case = program_from_text(X + "set_grad(x0, gradient=1.0)")
    assert not as_runner(Micrograd()).supports(case)
    assert as_runner(Dezero()).supports(case)


def test_a_run_shows_hooks_beside_gradients() -> None:
    text = X + "h0 = hook(x0, kind='double')\nbackward(x0)"
    table = str(run(text, "dezero"))
    assert "h0 gets" in table
    assert "calls" not in table
