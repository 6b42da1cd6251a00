"""Engines that are wrong until a switch is turned, each with a program that shows it."""

from __future__ import annotations

from parity.language import program as pr
from tests.helpers.programs import apply, constant, leaf, program

OPS = ("add", "mul", "sub", "square")
SUM = {"axis": None, "keepdims": False}
BACKWARD = program([leaf(3.0)], apply("mul", 0, 0), pr.Backward(1))
SECOND = program(
    [leaf(3.0)],
    apply("square", 0),
    pr.Backward(1, create_graph=True),
    pr.TakeGrad(0),
    apply("mul", 2, 0),
    pr.Clear((0,)),
    pr.Backward(3),
)
GIVEN = program([leaf([3.0, 2.0])], pr.Backward(0, constant([1.0, 2.0])))
#: Names of cases: base class, the method that is wrong, the program, the kind.
CASES: dict[str, tuple[str, str, pr.Program, str]] = {
    "value": (
        "TapeEngine",
        """
        def value(self, t):
            return t.data + 1
        """,
        BACKWARD,
        "value",
    ),
    "gradient": (
        "TapeEngine",
        """
        def add(self, grads, t, g):
            grads[t] = g
        """,
        BACKWARD,
        "gradient",
    ),
    "missing-gradient": (
        "TapeEngine",
        """
        def store(self, leaf, g):
            pass
        """,
        BACKWARD,
        "missing-gradient",
    ),
    "missing-gradient-inexact": (
        "TapeEngine",
        """
        def store(self, leaf, g):
            pass
        """,
        program(
            [leaf([0.7, 1.3, 2.1, 3.3, 5.7])],
            apply("exp", 0),
            apply("tanh", 0),
            apply("mul", 1, 2),
            apply("sin", 3),
            apply("sum", 4, **SUM),
            pr.Backward(5),
        ),
        "missing-gradient",
    ),
    "gradient-of-many-sizes": (
        "TapeEngine",
        """
        def add(self, grads, t, g):
            g = np.array(g)
            if g.ndim:
                g[-1] *= 1.001
            super().add(grads, t, g)
        """,
        program(
            [leaf([19.922, 19.915, 19.905, -19.7])],
            apply("exp", 0),
            apply("sum", 1, **SUM),
            pr.Backward(2),
        ),
        "gradient",
    ),
    "spurious-gradient": (
        "TapeEngine",
        """
        def leaf(self, array, requires_grad=True):
            return super().leaf(array, True)
        """,
        program([leaf(3.0), leaf(2.0, requires_grad=False)], apply("mul", 0, 1), pr.Backward(2)),
        "spurious-gradient",
    ),
    "accumulation": (
        "TapeEngine",
        """
        def store(self, leaf, g):
            leaf.grad = np.array(g)
        """,
        program([leaf(3.0)], pr.Backward(0), pr.Backward(0)),
        "accumulation",
    ),
    "clear": (
        "TapeEngine",
        """
        def clear_grad(self, t):
            pass
        """,
        program([leaf(3.0)], pr.Backward(0), pr.Clear((0,))),
        "clear",
    ),
    "clear-to-zeros": (
        "TapeEngine",
        """
        def clear_grad(self, t):
            t.grad = np.zeros_like(t.grad)
        """,
        program([leaf(3.0)], pr.Backward(0), pr.Clear((0,))),
        "clear",
    ),
    "zero-to-none": (
        "TapeEngine",
        """
        def zero_grad(self, t):
            t.grad = None
        """,
        program([leaf(3.0)], pr.Backward(0), pr.Zero((0,))),
        "zero",
    ),
    "accumulation-through-views": (
        "TapeEngine",
        """
        def store(self, leaf, g):
            leaf.grad = np.array(g)
        """,
        program(
            [leaf([[3.0], [2.0]]), leaf([[4.0], [5.0]])],
            apply("reshape", 0, shape=(2,)),
            apply("reshape", 1, shape=(2,)),
            apply("add", 2, 3),
            pr.Backward(4, constant([1.0, 2.0]), retain_graph=True),
            pr.Backward(4, constant([1.0, 2.0])),
        ),
        "accumulation",
    ),
    "zero": (
        "TapeEngine",
        """
        def zero_grad(self, t):
            pass
        """,
        program([leaf(3.0)], pr.Backward(0), pr.Zero((0,))),
        "zero",
    ),
    "zero-held": (
        "TapeEngine",
        """
        def zero_grad(self, t):
            t.grad = np.zeros_like(t.grad)
        """,
        program([leaf(3.0)], pr.Backward(0), pr.Zero((0,))),
        "zero",
    ),
    "alias": (
        "TapeEngine",
        """
        def store(self, leaf, g):
            leaf.grad = g if leaf.grad is None else leaf.grad + g
        """,
        program([leaf(3.0), leaf(2.0)], apply("add", 0, 1), pr.Backward(2), pr.ChangeGrad(0)),
        "alias",
    ),
    "alias-with-the-users-array": (
        "TapeEngine",
        """
        def seed(self, t, gradient):
            return super().seed(t, gradient) if gradient is None else gradient

        def store(self, leaf, g):
            leaf.grad = g
        """,
        program([leaf([3.0, 2.0])], pr.Backward(0, constant([1.0, 2.0])), pr.ChangeGradient()),
        "alias",
    ),
    "alias-users-array-changed": (
        "TapeEngine",
        """
        def seed(self, t, gradient):
            result = super().seed(t, gradient)
            if gradient is not None:
                gradient += 1
            return result
        """,
        GIVEN,
        "alias",
    ),
    "alias-values-changed": (
        "TapeEngine",
        """
        def store(self, leaf, g):
            super().store(leaf, g)
            leaf.data += 1
        """,
        BACKWARD,
        "alias",
    ),
    "dtype": (
        "TapeEngine",
        """
        def store(self, leaf, g):
            super().store(leaf, g.astype("float64"))
        """,
        program([leaf(3.0, "float32")], pr.Backward(0)),
        "dtype",
    ),
    "shape": (
        "TapeEngine",
        """
        def grad(self, t):
            return None if t.grad is None else np.atleast_1d(t.grad)
        """,
        BACKWARD,
        "shape",
    ),
    "exception": (
        "TapeEngine",
        """
        def backward(self, t, gradient=None, **flags):
            raise ValueError("not yet")
        """,
        BACKWARD,
        "exception",
    ),
    "depth": (
        "TapeEngine",
        """
        def backward(self, t, gradient=None, **flags):
            self.backward(t, gradient, **flags)
        """,
        BACKWARD,
        "depth",
    ),
    "no-exception": (
        "TapeEngine",
        """
        def run(self, node, grads, retain):
            super().run(node, grads, True)
        """,
        program([leaf(3.0)], apply("mul", 0, 0), pr.Backward(1), pr.Backward(1)),
        "no-exception",
    ),
    "no-exception-shape": (
        "TapeEngine",
        """
        def seed(self, t, gradient):
            return np.ones_like(t.data)
        """,
        program([leaf([3.0])], pr.Backward(0, constant([[1.0]]))),
        "no-exception",
    ),
    "no-grad": (
        "TapeEngine",
        """
        def no_grad(self):
            return contextlib.nullcontext()
        """,
        program([leaf(3.0)], apply("mul", 0, 0, no_grad=True), apply("mul", 0, 1), pr.Backward(2)),
        "gradient",
    ),
    "detach": (
        "TapeEngine",
        """
        def detach(self, t):
            return t
        """,
        program([leaf(3.0)], pr.Detach(0), apply("mul", 0, 1), pr.Backward(2)),
        "gradient",
    ),
    "second-order": (
        "Dezero",
        """
        def grad_tensor(self, t):
            return t.grad.detach()
        """,
        SECOND,
        "second-order",
    ),
    "second-order-value": (
        "Dezero",
        """
        def grad_tensor(self, t):
            return t.grad * 2
        """,
        SECOND,
        "gradient",
    ),
    "dezero-clear": (
        "Dezero",
        """
        def clear_grad(self, t):
            pass
        """,
        program([leaf(3.0)], pr.Backward(0), pr.Clear((0,)), pr.Backward(0)),
        "clear",
    ),
    "dezero-narrow": (
        "Dezero",
        """
        def leaf(self, array, requires_grad=True):
            return super().leaf(array.astype("float64"), requires_grad)
        """,
        program(
            [leaf([3.0], "float32"), leaf([], "float32")],
            apply("concat", 0, 1, axis=0),
            apply("get_item", 2, index=(("list", (0, -1)), "newaxis")),
            apply("split", 3, axis=0, sizes=(1, 1)),
            pr.Drop(2),
            pr.Backward(4, constant([[2.0]], "float32"), retain_graph=True),
            pr.ChangeGradient(),
            pr.Zero((0,)),
        ),
        "dtype",
    ),
}
ADAPTER = """
import contextlib
import numpy as np

import {switch}
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.adapters.dezero import Dezero


class Right({base}):
    name = "right"


class Wrong(Right):
    name = "wrong"
{method}

class Mine(Wrong if {switch}.WRONG else Right):
    name = "mine"
"""
#: Runs scripts with the import of parity refused, each in a process of its own.
