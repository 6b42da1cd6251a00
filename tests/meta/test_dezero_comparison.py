"""The comparisons that the tests of dezero use refuse what is wrong."""

import numpy as np
import pytest

from tests.helpers.dezero import assert_bits, assert_close, check_derivatives, values


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (np.float64([1, 2]), np.float64([1, 3])),
        (np.float64([1, 2]), np.float32([1, 2])),
        (np.float64([1]), np.float64([[1]])),
        (np.float64([np.nan]), np.float64([1])),
    ],
)
@pytest.mark.parametrize("same", [assert_bits, assert_close])
def test_comparisons_refuse_other_values_dtypes_and_shapes(same, actual, expected):
    with pytest.raises(AssertionError):
        same(actual, expected)


def test_the_comparison_of_bits_refuses_one_ulp_and_the_other_zero():
    for a, b in [(1.0, np.nextafter(1.0, 2)), (0.0, -0.0)]:
        assert_close(np.float64([a]), np.float64([b]))
        with pytest.raises(AssertionError):
            assert_bits(np.float64([a]), np.float64([b]))
    assert_bits(np.float64([np.nan, -np.inf]), np.float64([-np.nan, -np.inf]))


@pytest.mark.parametrize(
    ("fd", "ft"),
    [
        (lambda x: x * 2, lambda t: t * 3),  # the value
        (lambda x: x + x.detach(), lambda t: t + t),  # the first derivative
        (lambda x: x * (x.detach() * 2), lambda t: t * t + t.detach() * t),  # the second
    ],
)
def test_the_comparison_of_derivatives_refuses_each_order(fd, ft):
    with pytest.raises(AssertionError):
        check_derivatives(fd, ft, [values((3,))])
