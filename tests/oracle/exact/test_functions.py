"""Functions of one number: all digits right, by identities between them."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import mpmath
import numpy as np
import pytest

from parity.oracle.exact import functions as fn
from parity.oracle.exact import numbers as nu

SOURCE = random.Random(4)
ORDINARY = [Decimal(SOURCE.uniform(-20, 20)) for _ in range(200)]
TINY = [Decimal(f"{SOURCE.uniform(-9, 9)}e-{SOURCE.randint(20, 400)}") for _ in range(50)]
HUGE = [Decimal(SOURCE.uniform(1, 9) * 10.0 ** SOURCE.randint(2, 300)) for _ in range(50)]
ZEROS = [Decimal("0"), Decimal("-0")]
EVERY = [*ORDINARY, *TINY, *HUGE, *ZEROS]


def of(function: Callable[[Any], Any], x: Decimal) -> Decimal:
    return Decimal(function(nu.array_of([+x]))[0])


def agree(a: Decimal, b: Decimal, ulps: int = 10) -> bool:
    """Whether numbers agree up to the last of ``DIGITS`` digits."""
    return abs(a - b) <= ulps * Decimal(10) ** -nu.DIGITS * max(abs(a), abs(b))


@pytest.mark.parametrize("x", EVERY, ids=str)
def test_identities(x: Decimal) -> None:
    with nu.precise():
        sine, cosine = of(fn.sin, x), of(fn.cos, x)
        assert agree(sine * sine + cosine * cosine, Decimal(1))
        assert agree(of(fn.sin, -x), -sine)
        assert agree(of(fn.cos, -x), cosine)
        assert agree(of(fn.tanh, -x), -of(fn.tanh, x))
        assert abs(of(fn.normal, x) + of(fn.normal, -x) - 1) < Decimal("1e-49")


@pytest.mark.parametrize("x", [*ORDINARY, *TINY], ids=str)
def test_functions_of_twice_the_argument(x: Decimal) -> None:
    """Relative to the terms: where they cancel, as near a zero of the sine, digits are lost."""
    with nu.precise():
        sine, cosine = of(fn.sin, x), of(fn.cos, x)
        assert abs(of(fn.sin, 2 * x) - 2 * sine * cosine) < Decimal("1e-48") * min(1, 10 * abs(x))
        tanh = of(fn.tanh, x)
        assert agree(of(fn.tanh, 2 * x), 2 * tanh / (1 + tanh * tanh))
        e = of(fn.exp, x)
        if abs(x) > Decimal("0.1"):  # nearer to zero the difference has fewer digits
            assert agree(tanh, (e - 1 / e) / (e + 1 / e), 100)


@pytest.mark.parametrize("x", HUGE, ids=str)
def test_the_sine_of_three_times_a_large_argument(x: Decimal) -> None:
    with nu.precise():
        x = x.scaleb(-x.adjusted()).quantize(Decimal("1e-48")).scaleb(x.adjusted())
        sine = of(fn.sin, x)
        assert abs(of(fn.sin, 3 * x) - (3 * sine - 4 * sine**3)) < Decimal("1e-48")


def test_pi_is_a_zero_of_the_sine() -> None:
    with nu.precise():
        pi = 1 / (2 * of(fn.density, Decimal(0)) ** 2)
        assert abs(of(fn.sin, pi)) < Decimal("1e-48")


@pytest.mark.parametrize("x", [x for x in ORDINARY if x > 1], ids=str)
def test_the_tail_of_the_normal_distribution(x: Decimal) -> None:
    """Between the bounds of Gordon: they are near each other for large arguments."""
    with nu.precise():
        tail, density = of(fn.normal, -x), of(fn.density, x)
        assert x / (x * x + 1) * density < tail < density / x


def test_the_density_is_the_slope_of_the_normal_distribution() -> None:
    step = Decimal("1e-10")
    with nu.precise():
        for x in ORDINARY:
            left = -abs(x)  # on the right the values are nearly 1
            slope = (of(fn.normal, left + step) - of(fn.normal, left - step)) / (2 * step)
            density = of(fn.density, left)
            assert abs(slope - density) < Decimal("1e-17") * density


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (fn.sin, math.sin),
        (fn.cos, math.cos),
        (fn.tanh, math.tanh),
        (fn.normal, lambda x: math.erfc(-x / math.sqrt(2)) / 2),
    ],
    ids=["sin", "cos", "tanh", "normal"],
)
def test_floats_agree(ours: Any, theirs: Callable[[float], float]) -> None:
    with nu.precise():
        for x in [x for x in (*ORDINARY, *TINY, *HUGE) if +x == x]:  # of at most 50 digits
            assert np.isclose(float(of(ours, x)), theirs(float(x)), rtol=1e-13, atol=0), x


@pytest.mark.parametrize("x", [Decimal("Infinity"), Decimal("-Infinity"), Decimal("1e400")])
def test_what_has_no_sine_leaves_the_real_numbers(x: Decimal) -> None:
    for function in (fn.sin, fn.cos):
        with nu.precise() as context:
            assert of(function, x).is_nan()
            assert nu.left_reals(context)
    with nu.precise() as context:
        assert of(fn.tanh, x) == of(fn.normal, x) * 2 - 1 == (1 if x > 0 else -1)
        assert not nu.left_reals(context)


def test_the_precision_of_mpmath_is_left_alone() -> None:
    code = (
        "import mpmath; mpmath.mp.dps = 20\n"
        "from parity.oracle.exact import functions as fn, numbers as nu\n"
        "with nu.precise():\n"
        "    y = fn.sin(nu.array_of([1]))[0]\n"
        "print(mpmath.mp.dps, len(str(y)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["20", str(nu.DIGITS + len("0."))]
    assert mpmath.mp.dps == 15
