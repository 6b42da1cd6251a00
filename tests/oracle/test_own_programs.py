"""Programs that the engine judges itself, and the verdict of several judges."""

from __future__ import annotations

import numpy as np
import pytest

from parity.engines.adapters.torch import Torch, with_gradient
from parity.engines.runner import as_runner
from parity.language import program as pr
from parity.oracle.combined import Evidence, combined_verdict, size_in_words
from parity.oracle.neighbours import Surroundings
from parity.oracle.own_forward import Outcome
from parity.oracle.own_programs import question_of
from parity.oracle.verdict import ENGINE, REFERENCE
from tests.helpers.programs import apply, leaf, program, sample


class Halved(Torch):
    """PyTorch with half the gradient of ``exp``, and none of ``relu`` at 0."""

    name = "halved"

    def __init__(self):
        super().__init__()
        exp, relu = self.ops["exp"], self.ops["relu"]
        wrong = {
            "exp": lambda a: exp(with_gradient(a, lambda g: g / 2)),
            "relu": lambda a: relu(with_gradient(a, lambda g: g + 9 * (a == 0))),
        }
        self.ops = {**self.ops, **wrong}


RIGHT, WRONG = as_runner(Torch()), as_runner(Halved())
RANDOM = np.random.default_rng(0)
FIRST = program(
    [leaf([1.0, 2.0]), leaf([0.5, 1.5], requires_grad=False)],
    apply("mul", 0, 1),
    apply("exp", 2),
    apply("sum", 3, axis=None, keepdims=False),
    pr.Backward(4),
)
SECOND = program(
    [leaf([1.0, 2.0])],
    apply("exp", 0),
    apply("sum", 1, axis=None, keepdims=False),
    pr.Backward(2, create_graph=True),
    pr.TakeGrad(0),
    apply("exp", 3),
    apply("sum", 4, axis=None, keepdims=False),
    pr.Backward(5),
)


def asked(case, runner):
    return question_of(case, runner.run(case), runner)


@pytest.mark.parametrize("case", [FIRST, SECOND])
def test_the_last_backward_is_judged(case):
    assert asked(case, RIGHT).judged(RANDOM).outcome is Outcome.RIGHT
    assert asked(case, WRONG).judged(RANDOM).outcome is Outcome.WRONG


def test_wrong_entries_are_named():
    first, second = asked(FIRST, WRONG).wrong_partials(RANDOM)
    assert (first.leaf, first.index, second.index) == (0, (0,), (1,))
    assert first.expected == pytest.approx(2 * first.actual)


def test_a_kink_of_a_single_operation():
    case = program([leaf([0.0, 1.0])], apply("relu", 0), pr.Backward(1, leaf([1.0, 1.0])))
    question = asked(case, RIGHT)
    assert question.is_single
    assert question.placed(RANDOM).surroundings is Surroundings.CONVENTION
    assert asked(case, WRONG).placed(RANDOM).surroundings is Surroundings.OUTSIDE
    assert not asked(FIRST, RIGHT).is_single


@pytest.mark.parametrize(
    "statements",
    [
        (apply("exp", 0), pr.Detach(1), apply("mul", 0, 2), pr.Backward(3)),
        (apply("exp", 0, no_grad=True), apply("mul", 0, 1), pr.Backward(2)),
        (apply("exp", 0), pr.Backward(1), pr.TakeGrad(0), apply("mul", 0, 2), pr.Backward(3)),
        (apply("exp", 0), pr.Backward(1, leaf([[1.0]]))),
        (apply("exp", 0),),
    ],
)
def test_programs_that_no_function_describes_are_declined(statements):
    assert asked(program([leaf(1.0)], *statements), RIGHT) is None


class AnyShape(Torch):
    """PyTorch, which takes a gradient of any shape for one of ones."""

    def backward(self, t, gradient=None, **flags):
        super().backward(t, None, **flags)


def test_a_seed_of_another_shape_is_declined():
    case = program([leaf(1.0)], apply("exp", 0), pr.Backward(1, leaf([[3.0]])))
    assert asked(case, as_runner(AnyShape())) is None


def test_gradients_that_accumulate_are_told_apart():
    case = program([leaf(1.0)], apply("sin", 0), pr.Backward(1), apply("exp", 0), pr.Backward(2))
    assert asked(case, RIGHT).judged(RANDOM).outcome is Outcome.RIGHT
    assert asked(case, WRONG).judged(RANDOM).outcome is Outcome.WRONG


@pytest.mark.parametrize("profile", ["gradients", "functions", "second-order"])
def test_no_false_alarm_on_generated_programs(profile):
    for case in sample(profile, 40, Torch()):
        question = asked(case, RIGHT)
        if question is not None:
            assert question.judged(RANDOM).outcome is not Outcome.WRONG, case


OUTSIDE, CONVENTION = Surroundings.OUTSIDE, Surroundings.CONVENTION


@pytest.mark.parametrize(
    ("evidence", "wrong", "words"),
    [
        (Evidence(Outcome.RIGHT, values_differ=True), ENGINE, "another function"),
        (Evidence(Outcome.WRONG, gradient_differs=True), ENGINE, "own forward"),
        (Evidence(Outcome.WRONG, gradient_differs=False), ENGINE, "PyTorch's is the same"),
        (Evidence(Outcome.WRONG, CONVENTION, gradient_differs=True), None, "convention"),
        (Evidence(Outcome.KINK, OUTSIDE), ENGINE, "no subgradient"),
        (Evidence(Outcome.KINK, Surroundings.ISOLATED), ENGINE, "at this point alone"),
        (Evidence(Outcome.KINK, Surroundings.NOT_FINITE, gradient_differs=True), None, "conv"),
        (Evidence(Outcome.KINK, Surroundings.NOT_FINITE, reference_finite=True), ENGINE, "finite"),
        (Evidence(Outcome.WRONG, gradient_differs=False, finite=False), None, ""),
        (Evidence(Outcome.NOISY), ENGINE, "narrower"),
        (Evidence(Outcome.RIGHT), None, ""),
        (Evidence(Outcome.RIGHT, gradient_differs=True), None, "fits"),
        (
            Evidence(Outcome.RIGHT, gradient_differs=True, reference=Outcome.WRONG),
            REFERENCE,
            "PyTorch's gradient is wrong",
        ),
        (Evidence(Outcome.UNDECIDED, gradient_differs=True), None, "does not settle"),
    ],
)
def test_the_verdict_of_several_judges(evidence, wrong, words):
    verdict = combined_verdict(evidence)
    assert verdict.wrong == wrong
    assert words in verdict.note


@pytest.mark.parametrize(
    ("relative", "words"),
    [
        (1e-16, "rounding"),
        (1e-14, "more than rounding"),
        (3e-8, "a float32 constant, or an epsilon in the formula"),
        (1e-5, "inaccurate"),
        (0.5, "wrong"),
        (np.nan, "wrong"),
    ],
)
def test_sizes_in_words(relative, words):
    assert size_in_words(relative) == words


def test_sizes_of_float32():
    assert size_in_words(1e-7, 2.0**-24) == "rounding"
    assert size_in_words(1e-5, 2.0**-24) == "more than rounding"
