"""Kinks and domain edges: the conventions of docs/semantics.md 9, one by one.

Each case says what the value and the gradients are, and PyTorch must say the same.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from parity.engines.base import Engine
from parity.language import program as pr
from parity.oracle.check import check_program
from parity.oracle.exact.engine import Exact
from tests.helpers.programs import TORCH, apply, constant, leaf, program

INF, NAN = math.inf, math.nan
ALL = {"axis": None, "keepdims": False}

#: Name -> operation, attributes, operands, value, gradients for ones.
KINKS: dict[str, tuple[str, dict[str, Any], list[Any], Any, list[Any]]] = {
    "relu at zero": ("relu", {}, [[0.0, 1.0, -1.0]], [0.0, 1.0, 0.0], [[0.0, 1.0, 0.0]]),
    "absolute at zero": ("absolute", {}, [[0.0, -2.0]], [0.0, 2.0], [[0.0, -1.0]]),
    "sign": ("sign", {}, [[0.0, -2.0, 3.0]], [0.0, -1.0, 1.0], [[0.0, 0.0, 0.0]]),
    "floor": ("floor", {}, [[2.0, -2.5, 0.5]], [2.0, -3.0, 0.0], [[0.0, 0.0, 0.0]]),
    "leaky_relu at zero": ("leaky_relu", {"slope": 0.5}, [[0.0, -2.0]], [0.0, -1.0], [[0.5, 0.5]]),
    "clip at both bounds": (
        *("clip", {"x_min": -1.0, "x_max": 2.0}, [[-1.0, 2.0, -1.5, 2.5, 0.0]]),
        *([-1.0, 2.0, -1.0, 2.0, 0.0], [[1.0, 1.0, 0.0, 0.0, 1.0]]),
    ),
    "clip at a zero bound": ("clip", {"x_min": 0.0, "x_max": None}, [[0.0]], [0.0], [[1.0]]),
    "maximum ties": ("maximum", {}, [[3.0, 1.0], [3.0, 2.0]], [3.0, 2.0], [[0.5, 0.0], [0.5, 1.0]]),
    "minimum ties": ("minimum", {}, [[3.0, 1.0], [3.0, 2.0]], [3.0, 1.0], [[0.5, 1.0], [0.5, 0.0]]),
    "maximum of both zeros": ("maximum", {}, [[0.0], [-0.0]], [0.0], [[0.5], [0.5]]),
    "max ties": ("max", ALL, [[1.0, 4.0, 4.0, 4.0]], 4.0, [[0.0, 1 / 3, 1 / 3, 1 / 3]]),
    "min ties": ("min", ALL, [[2.0, 2.0, 4.0]], 2.0, [[0.5, 0.5, 0.0]]),
    "max along an axis": (
        *("max", {"axis": 1, "keepdims": True}, [[[1.0, 1.0], [0.0, 2.0]]]),
        *([[1.0], [2.0]], [[[0.5, 0.5], [0.0, 1.0]]]),
    ),
    "norm at zero": ("norm", ALL, [[0.0, 0.0]], 0.0, [[0.0, 0.0]]),
    "prod with a zero": ("prod", ALL, [[2.0, 0.0, 4.0]], 0.0, [[0.0, 8.0, 0.0]]),
    "prod with two zeros": ("prod", ALL, [[2.0, 0.0, 0.0]], 0.0, [[0.0, 0.0, 0.0]]),
    "pow 0": ("pow", {"exponent": 0}, [[0.0, 2.0]], [1.0, 1.0], [[0.0, 0.0]]),
    "pow 1": ("pow", {"exponent": 1}, [[0.0, 2.0]], [0.0, 2.0], [[1.0, 1.0]]),
    "pow 2 at zero": ("pow", {"exponent": 2}, [[0.0]], [0.0], [[0.0]]),
    "pow 1.5 at zero": ("pow", {"exponent": 1.5}, [[0.0]], [0.0], [[0.0]]),
    "power 0 to the 0": ("power", {}, [[0.0], [0.0]], [1.0], [[0.0], [0.0]]),
    "power 0 to a positive": ("power", {}, [[0.0], [2.0]], [0.0], [[0.0], [0.0]]),
    "power to the 0": ("power", {}, [[2.0], [0.0]], [1.0], [[0.0], [math.log(2.0)]]),
    "where": (
        *("where", {"condition": (True, False)}, [[1.0, 2.0], [3.0, 4.0]]),
        *([1.0, 4.0], [[1.0, 0.0], [0.0, 1.0]]),
    ),
    "variance of equal numbers": ("var", {**ALL, "correction": 1}, [[2.0, 2.0]], 0.0, [[0.0, 0.0]]),
    "repeated index": (
        *("get_item", {"index": (("list", (0, 0, 1)),)}, [[2.0, 3.0]]),
        *([2.0, 2.0, 3.0], [[2.0, 1.0]]),
    ),
    "softmax far out": ("softmax", {"axis": 0}, [[1000.0, -1000.0]], [1.0, 0.0], [[0.0, 0.0]]),
    "logsumexp far out": ("logsumexp", ALL, [[1000.0, -1000.0]], 1000.0, [[1.0, 0.0]]),
    "log_softmax far out": (
        *("log_softmax", {"axis": 0}, [[1000.0, -1000.0]]),
        *([0.0, -2000.0], [[-1.0, 1.0]]),
    ),
    "softplus beyond 20": ("softplus", {}, [[21.0]], [21.0], [[1.0]]),
    "sum of nothing": ("sum", ALL, [np.zeros((0, 3))], 0.0, [np.zeros((0, 3))]),
    "nothing broadcast": ("add", {}, [np.zeros((0, 3)), np.ones((1, 3))], np.zeros((0, 3)),
                          [np.zeros((0, 3)), np.zeros((1, 3))]),
}  # fmt: skip

#: The same where something is no real number: noted in ``left_reals_count``.
POLES: dict[str, tuple[str, dict[str, Any], list[Any], Any, list[Any]]] = {
    "sqrt at zero": ("sqrt", {}, [[0.0, 4.0]], [0.0, 2.0], [[INF, 0.25]]),
    "sqrt below zero": ("sqrt", {}, [[-1.0]], [NAN], [[NAN]]),
    "log at zero": ("log", {}, [[0.0, 2.0]], [-INF, math.log(2.0)], [[INF, 0.5]]),
    "log below zero": ("log", {}, [[-1.0]], [NAN], [[-1.0]]),
    "pow 0.5 at zero": ("pow", {"exponent": 0.5}, [[0.0]], [0.0], [[INF]]),
    "pow -1 at zero": ("pow", {"exponent": -1}, [[0.0]], [INF], [[-INF]]),
    "pow 0 of nan and infinity": ("pow", {"exponent": 0}, [[INF, NAN]], [1.0, 1.0], [[0.0, 0.0]]),
    "pow 1 of nan": ("pow", {"exponent": 1}, [[NAN]], [NAN], [[1.0]]),
    "power 0 to a negative": ("power", {}, [[0.0], [-1.0]], [INF], [[-INF], [-INF]]),
    "power of a negative base": ("power", {}, [[-2.0], [2.0]], [4.0], [[-4.0], [NAN]]),
    "division by zero": ("div", {}, [[1.0], [0.0]], [INF], [[INF], [-INF]]),
    "0 / 0": ("div", {}, [[0.0], [0.0]], [NAN], [[INF], [NAN]]),
    "infinity times a constant zero": ("mul_scalar", {"c": 0.0}, [[INF]], [NAN], [[0.0]]),
    "infinity times zero": ("mul", {}, [[INF], [0.0]], [NAN], [[0.0], [INF]]),
    "absolute of nan": ("absolute", {}, [[NAN]], [NAN], [[0.0]]),
    "sign of nan": ("sign", {}, [[NAN]], [0.0], [[0.0]]),
    "clip of nan": ("clip", {"x_min": -1.0, "x_max": 2.0}, [[NAN]], [NAN], [[0.0]]),
    "relu of nan": ("relu", {}, [[NAN]], [NAN], [[1.0]]),
    "leaky_relu of nan": ("leaky_relu", {"slope": 0.5}, [[NAN]], [NAN], [[0.5]]),
    "maximum beside nan": ("maximum", {}, [[NAN], [1.0]], [NAN], [[1.0], [1.0]]),
    "max beside nan": ("max", ALL, [[NAN, 1.0]], NAN, [[NAN, NAN]]),
    "maximum beside infinity": ("maximum", {}, [[-INF], [1.0]], [1.0], [[0.0], [1.0]]),
    "min beside infinity": ("min", ALL, [[INF, 1.0]], 1.0, [[0.0, 1.0]]),
    "square beside nan": ("square", {}, [[NAN, 2.0]], [NAN, 4.0], [[NAN, 4.0]]),
    "max at infinity": ("max", ALL, [[INF, 1.0, INF]], INF, [[0.5, 0.0, 0.5]]),
    "mean of nothing": ("mean", ALL, [np.zeros((0,))], NAN, [np.zeros((0,))]),
    "logsumexp beside -infinity": ("logsumexp", ALL, [[-INF, 2.0]], 2.0, [[0.0, 1.0]]),
    "softmax of only -infinity": (
        *("softmax", {"axis": 0}, [[-INF, -INF]]),
        *([NAN, NAN], [[NAN, NAN]]),
    ),
}


def _seen(engine: Engine, op: str, attrs: Any, operands: list[Any]) -> tuple[Any, list[Any]]:
    """The value of an operation, and its gradients for ones."""
    from parity.language.table import keywords

    leaves = [engine.leaf(np.array(x, np.float64)) for x in operands]
    with np.errstate(all="ignore"):
        y = engine.ops[op](*leaves, **keywords(op, tuple(attrs.items())))
        value = engine.value(y)
        engine.backward(y, np.ones(np.shape(value)))
    return value, [engine.grad(x) for x in leaves]


@pytest.mark.parametrize("name", [*KINKS, *POLES])
@pytest.mark.parametrize("side", ["exact", "torch"])
def test_the_convention_holds(name: str, side: str) -> None:
    engine = Exact() if side == "exact" else TORCH
    op, attrs, operands, value, gradients = {**KINKS, **POLES}[name]
    seen, grads = _seen(engine, op, attrs, operands)
    np.testing.assert_allclose(seen, value, 1e-15, 1e-300)
    for g, expected in zip(grads, gradients, strict=True):
        np.testing.assert_allclose(g, expected, 1e-15, 1e-300)


def test_softmax_beside_infinity_is_nan() -> None:
    engine = Exact()
    y = engine.ops["softmax"](engine.leaf(np.array([INF, 1.0])), axis=0)
    assert np.isnan(engine.value(y)).all()


@pytest.mark.parametrize("name", [*KINKS, *POLES])
def test_what_leaves_the_real_numbers_is_noted(name: str) -> None:
    engine = Exact()
    op, attrs, operands, _, _ = {**KINKS, **POLES}[name]
    _seen(engine, op, attrs, operands)
    assert (engine.left_reals_count > 0) == (name in POLES)


def _second(op: str, operand: float, **attrs: Any) -> pr.Program:
    return program(
        [leaf([operand, 2.0])],
        apply(op, 0, **attrs),
        pr.Backward(1, constant([1.0, 3.0]), create_graph=True),
        pr.TakeGrad(0),
        apply("mul", 2, 0),
        pr.Clear((0,)),
        pr.Backward(3, constant([1.0, 2.0])),
    )


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        *((op, {}) for op in ("relu", "absolute", "sign", "floor", "square")),
        ("leaky_relu", {"slope": 0.5}),
        ("clip", {"x_min": 0.0, "x_max": 2.0}),
        *(("pow", {"exponent": p}) for p in (0, 1, 2, 3)),
    ],
)
def test_second_order_at_kinks_is_pytorchs(op: str, attrs: dict[str, Any]) -> None:
    case = _second(op, 0.0, **attrs)
    exact = Exact()
    assert check_program(case, exact, TORCH) is None
    assert exact.left_reals_count == 0


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_second_order_of_prod_with_zeros_is_pytorchs(zeros: int) -> None:
    case = program(
        [leaf([2.0, 3.0, 5.0][: 3 - zeros] + [0.0] * zeros)],
        apply("prod", 0, **ALL),
        pr.Backward(1, create_graph=True),
        pr.TakeGrad(0),
        apply("mul", 2, 0),
        pr.Clear((0,)),
        pr.Backward(3, constant([1.0, 2.0, 4.0])),
    )
    assert check_program(case, Exact(), TORCH) is None


def test_the_second_order_of_norm_at_zero_is_undefined() -> None:
    engine = Exact()
    x = engine.leaf(np.zeros(2))
    engine.backward(engine.ops["norm"](x, **ALL), create_graph=True)
    assert engine.left_reals_count == 0
    g = engine.grad_tensor(x)
    engine.backward(g, np.ones(2))
    assert engine.left_reals_count == 1


def test_a_gradient_too_large_for_its_dtype_is_noted() -> None:
    engine = Exact()
    x = engine.leaf(np.array(3.0, np.float32))
    engine.backward(engine.ops["mul_scalar"](x, c=2.0**100), np.array(2.0**100, np.float32))
    assert engine.grad(x) == INF
    assert engine.left_reals_count == 1


@pytest.mark.parametrize("value", [INF, -INF, NAN])
def test_leaves_and_gradients_that_are_no_numbers_are_noted(value: float) -> None:
    engine = Exact()
    x = engine.leaf(np.array(value))
    assert engine.left_reals_count == 1
    engine.backward(x, np.array(value))
    assert engine.left_reals_count > 1


def test_a_steep_place_does_not_touch_other_elements() -> None:
    engine = Exact()
    x = engine.leaf(np.array([0.0, 4.0]))
    engine.backward(engine.ops["sum"](engine.ops["sqrt"](x), **ALL))
    assert engine.grad(x).tolist() == [INF, 0.25]


def test_what_leaves_the_real_numbers_shows_nothing_beside_the_exact_evaluation() -> None:
    """Nothing masks nan going back (9.1); going forward nothing comes in that could be."""
    case = program(
        [leaf([0.0, 4.0])],
        apply("sqrt", 0),
        apply("get_item", 1, index=(1,)),
        pr.Backward(2),
    )
    exact = Exact()
    assert check_program(case, TORCH, exact) is None
    assert exact.left_reals_count > 0


def test_ties_are_decided_exactly() -> None:
    """A third times three is the number itself, not one that rounding made of it."""
    for value, side in itertools.product((0.1, 0.7, 1.3), ("maximum", "minimum")):
        engine = Exact()
        x, z = engine.leaf(np.array(value)), engine.leaf(np.array(value))
        third = engine.ops["div_scalar"](x, c=3)
        engine.backward(engine.ops[side](engine.ops["mul_scalar"](third, c=3), z))
        assert (engine.grad(x), engine.grad(z)) == (0.5, 0.5)
