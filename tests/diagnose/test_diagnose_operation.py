"""A fault that is one operation's own: the diagnosis says so where no defect is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parity.diagnose.defects.base import rules_with
from parity.diagnose.defects.engine import RULES, TapeEngine
from parity.diagnose.diagnose import diagnose
from parity.diagnose.diagnosis import Diagnosis
from parity.engines.adapters.autograd import Autograd
from parity.engines.base import Engine
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.programs import TORCH

CLIP = "x0 = leaf(-1.0)\nx1 = clip(x0, x_max=2.0, x_min=-1.0)\nbackward(x1)"
SIN = "x0 = leaf(3.0)\nx1 = sin(x0)\nbackward(x1)"
MUL = "x0 = leaf(3.0)\nx1 = leaf(2.0)\nx2 = mul(x0, x1)\nbackward(x2)"


class Sine(TapeEngine):
    """The sine's own formula is wrong."""

    rules = rules_with(sin=lambda g, y, a: (g * a * 7,))


class Product(TapeEngine):
    """As is that of products."""

    rules = rules_with(mul=lambda g, y, a, b: (g * b * 7, g * a * 3))


class Cosine(TapeEngine):
    """Three things of the cosine's own: each is wrong by itself."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        right = self.ops["cos"]
        self.ops = {**self.ops, "cos": lambda a: getattr(self, wrong)(right, a)}

    def value_of(self, right, a):
        return self.ops["neg"](right(a))

    def shape_of(self, right, a):
        return self.ops["reshape"](right(a), shape=(1,))

    def dtype_of(self, right, a):
        result = right(a)
        result.data = result.data.astype("float32")
        return result

    def raises(self, right, a):
        raise ValueError("no cosine")


class GradientOfCosine(TapeEngine):
    """The cosine's gradient has a form of its own."""

    def __init__(self, form: Callable[[Any], Any]) -> None:
        super().__init__()
        self.form = form

    def fit(self, node, index, g):
        fitted = super().fit(node, index, g)
        return self.form(fitted) if node.vjp is RULES["cos"].vjp else fitted


class Refuses(TapeEngine):
    """The backward of the sine raises."""

    rules = rules_with(sin=lambda g, y, a: g.refused)


class All(TapeEngine):
    """All gradients are wrong, whatever the operation."""

    def fit(self, node, index, g):
        return super().fit(node, index, g) * 7


def _diagnosed(engine: Engine, text: str) -> Diagnosis:
    case = program_from_text(text)
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    return diagnose(case, finding, engine, TORCH, {})


@pytest.mark.parametrize(
    ("engine", "text", "op"),
    [(Autograd(), CLIP, "clip"), (Sine(), SIN, "sin"), (Product(), MUL, "mul")],
    ids=["clip", "sin", "mul"],
)
def test_an_operations_own_gradient_is_named(engine: Engine, text: str, op: str) -> None:
    diagnosis = _diagnosed(engine, text)
    assert diagnosis.operation == op
    assert diagnosis.text().startswith(f"the gradient of `{op}` itself is wrong; no known defect")
    assert diagnosis.to_json() == []


@pytest.mark.parametrize(
    ("engine", "text"),
    [
        (All(), SIN),
        (All(), MUL),
        (Sine(), SIN + "\nbackward(x0)"),
        (Sine(), SIN.replace("(x1)", "(x1, retain_graph=True)")),
        (Product(), "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)"),
    ],
    ids=["all-sin", "all-mul", "more", "retained", "reused"],
)
def test_it_is_not_where_something_else_may_be_the_cause(engine: Engine, text: str) -> None:
    assert _diagnosed(engine, text).operation == ""


COS = "x0 = leaf(3.0)\nx1 = cos(x0)"


@pytest.mark.parametrize(
    ("engine", "text", "says"),
    [
        (Cosine("value_of"), COS, "the value of `cos` itself is wrong; no known defect"),
        (Cosine("shape_of"), COS, "the shape of `cos` itself is wrong; no known defect"),
        (Cosine("dtype_of"), COS, "the dtype of `cos` itself is wrong; no known defect"),
        (Cosine("raises"), COS, "`cos` itself raises; no known defect"),
        (Refuses(), SIN, "`sin` itself raises; no known defect"),
        (
            GradientOfCosine(lambda g: g.astype("float32")),
            f"{COS}\nbackward(x1)",
            "the dtype of the gradient of `cos` itself is wrong; no known defect",
        ),
        (
            GradientOfCosine(lambda g: g.reshape(1)),
            f"{COS}\nbackward(x1)",
            "the shape of the gradient of `cos` itself is wrong; no known defect",
        ),
    ],
    ids=["value", "shape", "dtype", "raises", "backward-raises", "grad-dtype", "grad-shape"],
)
def test_it_is_said_what_of_an_operation_is_wrong(engine: Engine, text: str, says: str) -> None:
    assert _diagnosed(engine, text).text() == says


def test_what_every_operation_does_is_none_of_its_own() -> None:
    class Narrow(TapeEngine):
        def value(self, t):
            return super().value(t).astype("float32")

    assert _diagnosed(Narrow(), COS).operation == ""


def test_a_quirk_that_explains_the_finding_is_said() -> None:
    diagnosis = _diagnosed(Autograd(), CLIP)
    assert diagnosis.quirks == ("clip-ties-neither",)
    first, second = diagnosis.text().splitlines()
    assert first.startswith("the gradient of `clip` itself is wrong")
    assert second.startswith(
        "if that is intended, declare the quirk `clip-ties-neither`: where an "
    )
    assert _diagnosed(Sine(), SIN).quirks == ()


def test_a_quirk_added_to_those_of_the_engine_explains() -> None:
    class Keeps(TapeEngine):
        """Each backward replaces gradients, by its own quirk; graphs are kept, by none."""

        quirks = frozenset({"clears-grads-on-backward"})

        def backward(self, t, gradient=None, **flags):
            for leaf in self.leaves_of(t):
                leaf.grad = None
            super().backward(t, gradient, **{**flags, "retain_graph": True})

        def leaves_of(self, t):
            if t.node is None:
                return [t]
            return [leaf for parent in t.node.parents for leaf in self.leaves_of(parent)]

    square = "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)\nbackward(x1)"
    assert "keeps-graphs" in _diagnosed(Keeps(), square).quirks
