"""Functions of JAX, and which framework a function is of."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import parity
from parity._util.errors import UsageError
from parity.function.frameworks import FRAMEWORKS, framework_of, open_framework
from tests.helpers.wrong_functions import Square

jax = pytest.importorskip("jax")


def _custom(backward: Any) -> Any:
    """The product of the sine of one number and another one, with a gradient of its own."""

    def plain(x: Any, y: Any) -> Any:
        return jax.numpy.sin(x) * y

    function = jax.custom_vjp(plain)
    function.defvjp(lambda x, y: (plain(x, y), (x, y)), backward)
    return function


def _right(saved: Any, g: Any) -> Any:
    x, y = saved
    return g * jax.numpy.cos(x) * y, g * jax.numpy.sin(x)


def _wrong(saved: Any, g: Any) -> Any:
    x, y = saved
    return g * jax.numpy.cos(x) * y, g * jax.numpy.cos(x)


def _constant(saved: Any, g: Any) -> Any:
    x, y = saved
    return g * jax.lax.stop_gradient(jax.numpy.cos(x)) * y, g * jax.numpy.sin(x)


def test_a_right_function_of_jax() -> None:
    result = parity.check_function(_custom(_right), (2,), (2,))
    assert result.ok, str(result)
    assert result.checked == ["error", "values", "first order", "second order", "float32"]


@pytest.mark.parametrize(
    ("backward", "says"),
    [
        (_wrong, "the gradient of input 1 is wrong"),
        (_constant, "the second derivative by input 0 is wrong"),
    ],
)
def test_a_wrong_function_of_jax(backward: Any, says: str) -> None:
    (finding,) = parity.check_function(_custom(backward), (2,), (2,)).findings
    assert finding.says.startswith(says)
    assert finding.script.startswith("import jax\n")


def test_the_framework_is_that_of_the_function_or_of_an_example() -> None:
    assert framework_of(_custom(_right), [(2,)]) in ("jax", "jaxlib")
    assert framework_of(max, [jax.numpy.zeros(2)]) in ("jax", "jaxlib")
    assert framework_of(Square.apply, [(2,)]) == "torch"
    assert framework_of(max, [(2,), torch.zeros(2)]) == "torch"


def test_a_framework_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(device: str, dtype: str) -> Any:
        raise ImportError("no module")

    monkeypatch.setitem(FRAMEWORKS, "paddle", missing)
    with pytest.raises(UsageError, match="paddle cannot be imported: no module"):
        open_framework("paddle", "cpu")
