"""How far the numbers of a program go, and what that means for a difference."""

from __future__ import annotations

import numpy as np
import pytest

from parity.diagnose.causes import Category, category_of
from parity.diagnose.shrink import reduced
from parity.engines.adapters.torch import Torch
from parity.engines.execute import execute
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from parity.oracle.extent import Extent, extent_of
from parity.oracle.rounded_operations import tolerance_of
from tests.helpers.programs import TORCH
from tests.helpers.special_engines import SHOWN, WRONG, with_rule


def _extent(text: str) -> Extent:
    program = program_from_text(text)
    return extent_of(program, execute(program, Torch()))


@pytest.mark.parametrize(
    ("text", "extent"),
    [
        ("x0 = leaf([0.0, 2.0])\nx1 = norm(x0, axis=0, keepdims=False)\nbackward(x1)", "FINITE"),
        ("x0 = leaf(-800.0)\nx1 = sigmoid(x0)\nbackward(x1)", "FINITE"),
        ("x0 = leaf(0.0)\nx1 = log(x0)\nbackward(x1)", "POLES"),
        ("x0 = leaf(0.0)\nx1 = sqrt(x0)\nbackward(x1)", "POLES"),
        ("x0 = leaf(-1.0)\nx1 = sqrt(x0)", "POLES"),
        # The infinite gradient is not seen: relu has 0 at 0, and 0 times infinity is nan inside.
        (
            "x0 = leaf(0.0)\nx1 = mul_scalar(x0, c=0.0)\nx2 = sqrt(x1)\n"
            "x3 = mul_scalar(x2, c=0.0)\nbackward(x3)",
            "POLES",
        ),
        ("x0 = leaf(-0.0)\nx1 = sqrt(x0)\nbackward(x1)", "BEYOND"),
        ("x0 = leaf(-0.0)\nx1 = sin(x0)\nbackward(x1)", "FINITE"),
        ("x0 = leaf(1e+155)\nx1 = neg(x0)", "BEYOND"),
        ("x0 = leaf(1e-155)\nx1 = neg(x0)", "BEYOND"),
        ("x0 = leaf(inf)\nx1 = neg(x0)", "BEYOND"),
        ("x0 = leaf(1e+20, float32)\nx1 = neg(x0)", "BEYOND"),
        ("x0 = leaf(1e+20)\nx1 = neg(x0)", "FINITE"),
        ("x0 = leaf(-100.0)\nx1 = exp(x0)", "FINITE"),
    ],
)
def test_how_far_numbers_go(text: str, extent: str) -> None:
    assert _extent(text).name == extent


def test_a_gradient_that_a_later_step_leaves_out_counts() -> None:
    text = "x0 = leaf(-1.0)\nx1 = relu(x0)\nx2 = sqrt(x1)\nbackward(x2)"
    program = program_from_text(text)
    right = execute(program, Torch())
    assert not right.non_finite
    assert extent_of(program, right) is Extent.POLES


def test_a_difference_at_a_pole_is_a_convention_and_one_of_finite_numbers_is_none() -> None:
    root, norm = (with_rule(*WRONG[name][:2]) for name in ("root", "norm"))
    pole = check_program(
        program_from_text("x0 = leaf(0.0)\nx1 = sqrt(x0)\nbackward(x1)"), root, TORCH
    )
    assert pole is not None
    assert (pole.by_class, pole.is_shown_only) == (True, False)
    assert pole.classes == ("finite", "inf")
    assert category_of(pole) is Category.CONVENTION
    text = "x0 = leaf([0.0, 0.0])\nx1 = norm(x0, axis=0, keepdims=False)\nbackward(x1)"
    plain = check_program(program_from_text(text), norm, TORCH)
    assert plain is not None
    assert not plain.by_class
    assert category_of(plain) is Category.GRADIENT


def test_a_difference_beyond_is_only_shown() -> None:
    engine = with_rule(*SHOWN["relu of nan"][:2])
    finding = check_program(program_from_text("x0 = leaf(nan)\nx1 = relu(x0)"), engine, TORCH)
    assert finding is not None
    assert finding.is_shown_only


def test_a_finite_program_is_never_reduced_to_one_with_a_pole() -> None:
    """`nan` where the base is 0 shows with a finite result and, simpler, beside an infinite one."""
    engine = with_rule(*WRONG["power"][:2])
    program = program_from_text(
        "x0 = leaf([0.0, 3.0])\nx1 = leaf([2.0, 0.5])\nx2 = power(x0, x1)\nx3 = neg(x2)\n"
        "backward(x3, gradient=[1.0, 2.0])"
    )
    finding = check_program(program, engine, TORCH)
    assert finding is not None
    assert finding.extent is Extent.FINITE
    small, after = reduced(program, finding, engine, TORCH)
    assert after.extent is Extent.FINITE
    assert len(small.statements) < len(program.statements)


def test_the_sign_of_a_computed_zero_decides_nothing() -> None:
    program = program_from_text(
        "x0 = leaf(0.0)\nx1 = mul_scalar(x0, c=0.5)\nx2 = rdiv_scalar(x1, c=1.0)\nx3 = exp(x0)"
    )
    tolerance = tolerance_of(program)
    index = next(i for i, o in enumerate(execute(program, Torch()).observations) if o.which == 2)
    infinite = np.array(np.inf)
    assert tolerance.excess(index, infinite, infinite) is None


def test_an_infinity_is_not_disturbed() -> None:
    """With errors that are infinite themselves every bound would be nan, and allow anything."""
    program = program_from_text(
        "x0 = leaf([inf, 2.0])\nx1 = tanh(x0)\nx2 = sigmoid(x1)\nbackward(x2, gradient=[1.0, 1.0])"
    )
    right = execute(program, Torch())
    tolerance = tolerance_of(program)
    bounds = [
        tolerance.bound(i, o.array) for i, o in enumerate(right.observations) if o.array is not None
    ]
    assert all((bound < 1e-12).all() for bound in bounds)
