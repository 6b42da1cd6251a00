"""Blocks, operations in place and functions of the user: engines, exact evaluation, exactness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from parity.diagnose.defects import DEFECTS
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.load import load_engine
from parity.engines.trace import Trace
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language import program as pr
from parity.language.text_format import program_from_text
from parity.oracle.adjudicate import adjudicate
from parity.oracle.check import check_program
from parity.oracle.exactness import is_exact
from parity.oracle.perturbed import Perturbed

TORCH, DEZERO, EXACT = (load_engine(name) for name in ("torch", "dezero", "exact"))
KINDS = ("blocks", "in-place", "user-functions")


def program(*lines: str) -> pr.Program:
    return program_from_text("\n".join(lines))


def arrays(trace: Trace) -> list[tuple[object, ...]]:
    """What was observed; no gradient and one of zeros are the same."""
    nothing: list[object] = []
    shown = (
        (o.what, o.which, nothing if o.array is None else o.array.tolist())
        for o in trace.observations
    )
    return [(a, b, nothing if not np.any(c) else c) for a, b, c in shown]


@pytest.mark.parametrize("profile", KINDS)
def test_the_exact_evaluation_gives_what_pytorch_gives(profile: str) -> None:
    decoder = Decoder.of(PROFILES[profile], TORCH)
    compared = 0
    for case in itertools.islice(sweep(decoder, "exact"), 150):
        theirs = execute(case, TORCH)
        if not is_exact(case) or theirs.failure is not None:
            continue
        assert arrays(execute(case, EXACT)) == arrays(theirs), str(case)
        compared += 1
    assert compared > 80


@pytest.mark.parametrize("profile", KINDS)
def test_perturbed_runs_observe_what_pytorch_observes(profile: str) -> None:
    decoder = Decoder.of(PROFILES[profile], TORCH)
    for case in itertools.islice(sweep(decoder, "perturbed"), 60):
        theirs = execute(case, TORCH)
        if theirs.failure is None:
            run = execute(case, Perturbed(0.0, 1, 0))
            assert [o[:3] for o in run.observations] == [o[:3] for o in theirs.observations]


@pytest.mark.parametrize("engine", [TORCH, DEZERO], ids=["torch", "dezero"])
@pytest.mark.parametrize(
    ("lines", "gradient"),
    [
        (("x1 = neg(x0)", "mul_(x1, x0)"), -12.0),
        (("x1 = square(x0)", "zero_(x1)"), 0.0),
        (("x1 = square(x0)", "copy_(x1, x0)"), 1.0),
        (("x1 = neg(x0)", "with no_grad():", "mul_scalar_(x1, c=5.0)", "end"), -1.0),
        (("with no_grad():", "mul_scalar_(x0, c=5.0)", "end", "x1 = square(x0)"), 60.0),
        (("with no_grad():", "with enable_grad():", "x1 = square(x0)", "end", "end"), 12.0),
        (("with no_grad():", "raise", "x1 = square(x0)"), 12.0),
        (("x1 = user(double_of_slope_three, x0)",), 3.0),
        (("x1 = user(second_constant, x0, x0)",), 6.0),
    ],
)
def test_gradients(engine: Engine, lines: tuple[str, ...], gradient: float) -> None:
    trace = execute(program("x0 = leaf(6.0)", *lines, "backward(x1)"), engine)
    assert trace.failure is None
    assert [o.array.item() for o in trace.observations if o.what == "grad"] == [gradient]


@pytest.mark.parametrize("engine", [TORCH, DEZERO], ids=["torch", "dezero"])
@pytest.mark.parametrize(
    ("lines", "statement"),
    [
        (("mul_scalar_(x0, c=2.0)",), 0),
        (
            (
                "x1 = mul(x0, x0)",
                "with no_grad():",
                "zero_(x0)",
                "end",
                "backward(x1, gradient=[1.0, 2.0])",
            ),
            4,
        ),
        (("x1 = exp(x0)", "zero_(x1)", "backward(x1, gradient=[1.0, 2.0])"), None),
        (("x1 = exp(x0)", "mul_scalar_(x1, c=2.0)", "backward(x1, gradient=[1.0, 2.0])"), 2),
    ],
)
def test_what_is_refused(engine: Engine, lines: tuple[str, ...], statement: int | None) -> None:
    failure = execute(program("x0 = leaf([3.0, 2.0])", *lines), engine).failure
    expected = 2 if statement is None else statement
    assert failure is not None
    assert failure.statement == expected


def test_an_engine_stays_usable_after_a_mode_that_was_not_restored() -> None:
    engine = DEFECTS["no-grad-not-restored"]()
    shows = DEFECTS["no-grad-not-restored"].smallest
    plain = program("x0 = leaf(3.0)", "x1 = square(x0)", "backward(x1)")
    assert check_program(shows, engine, TORCH) is not None
    assert check_program(plain, engine, TORCH) is None


def test_the_verdict_on_a_wrong_gradient() -> None:
    for name in ("zero-in-place-keeps-path", "enable-grad-ignored", "user-inputs-shared"):
        engine, case = DEFECTS[name](), DEFECTS[name].smallest
        finding = check_program(case, engine, TORCH)
        assert finding is not None
        assert adjudicate(case, finding, engine, TORCH).wrong == "engine"


def test_nobody_says_who_is_wrong_where_a_saved_value_was_changed() -> None:
    engine, case = DEFECTS["saved-value-changed"](), DEFECTS["saved-value-changed"].smallest
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    assert adjudicate(case, finding, engine, TORCH).wrong is None


class NoModes(type(DEZERO)):  # type: ignore[misc]
    """dezero without what only shows modes."""

    requires_grad = Engine.requires_grad


def test_whether_a_value_requires_a_gradient_is_compared_where_it_is_shown() -> None:
    case = program("x0 = leaf(3.0)", "with no_grad():", "x1 = neg(x0)")
    assert check_program(case, NoModes(), TORCH) is None
    wrong = DEFECTS["no-grad-ignored"]()
    finding = check_program(case, wrong, TORCH)
    assert finding is not None
    assert (finding.kind, finding.engine, finding.reference) == ("requires-grad", True, False)


def test_changed_programs_are_exact_or_not_by_what_they_mean() -> None:
    lines = ("x0 = leaf(1234567.0)", "x1 = neg(x0)", "mul_scalar_(x1, c={})", "backward(x1)")
    assert is_exact(program(*(line.format(2.0) for line in lines)))
    assert not is_exact(program(*(line.format(0.1) for line in lines)))
