"""Shapes that are measured: PyTorch says them, and large ones take no memory."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from parity.language.domains import DOMAINS
from parity.language.expression import compiled
from parity.language.measured import measured_shapes
from parity.language.shapes import Shape, ShapeError

LARGE = 10**6


class Limited(torch.overrides.TorchFunctionMode):
    """Within it, a large result that takes memory is a mistake."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.device.type == "cpu":
            assert result.untyped_storage().nbytes() < LARGE
        return result


def measured(text: str, *shapes: Shape, domain: str = "R", **attrs: Any) -> tuple[Shape, ...]:
    names = ", ".join("abc"[: len(shapes)])
    function = compiled(f"lambda {names}, *, {', '.join(attrs) or 'unused=0'}: {text}")
    return measured_shapes(function, (DOMAINS[domain],) * len(shapes), shapes, attrs)


@pytest.mark.parametrize(
    ("text", "shapes", "attrs", "result"),
    [
        ("torch.cumsum(a, x)", ((2, 3),), {"x": 0}, ((2, 3),)),
        ("a @ b", ((2, 3), (3, 4)), {}, ((2, 4),)),
        ("a.sum()", ((2, 3),), {}, ((),)),
        ("a.unbind(x)", ((2, 3),), {"x": 1}, ((2,),) * 3),
        ("torch.max(a, x)[:1]", ((2, 3),), {"x": 1}, ((2,),)),
        ("list(a.unbind(0))", ((2,),), {}, ((), ())),
    ],
)
def test_shapes_are_those_of_pytorch(
    text: str, shapes: tuple[Shape, ...], attrs: dict[str, Any], result: tuple[Shape, ...]
) -> None:
    assert measured(text, *shapes, **attrs) == result


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("a @ b", ((2, 3), (2, 3))),
        ("torch.cumsum(a, 3)", ((2,),)),
        ("a.argmax()", ((2,),)),
        ("a > 0", ((2,),)),
        ("torch.fft.fft(a)", ((2,),)),
        ("()", ((2,),)),
        ("3.0", ((2,),)),
        ("None", ((2,),)),
        ("(a, 3)", ((2,),)),
        ("(1).mean()", ((2,),)),
        ("1 / 0", ((2,),)),
        ("(1,)[3]", ((2,),)),
    ],
)
def test_what_gives_no_numbers_does_not_apply(text: str, shapes: tuple[Shape, ...]) -> None:
    with pytest.raises(ShapeError) as caught:
        measured(text, *shapes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "torch.nn.functional.pad(a, (n, n))",
        "a.repeat(n)",
        "a.expand(n, 3)",
        "a.new_zeros((n, n)) + a.sum()",
    ],
)
def test_a_huge_attribute_takes_no_memory(text: str) -> None:
    with Limited():
        (shape,) = measured(text, (3,), n=LARGE)
    assert LARGE in shape or 2 * LARGE + 3 in shape or 3 * LARGE in shape


def test_a_huge_attribute_of_a_small_result_is_computed() -> None:
    assert measured("(a * n).sum()", (3,), n=LARGE) == ((),)


def test_numbers_are_of_the_domain() -> None:
    assert measured("a[a > 0.1]", (50,), domain="P") == ((50,),)
    assert measured("a[a > 0.1]", (50,), domain="R") != ((50,),)


def test_no_warning_and_no_graph() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = "torch.index_reduce(a, 0, torch.tensor([0]), a[:1], 'prod')"
        assert measured(text, (2, 2)) == ((2, 2),)
    assert measured("a.requires_grad_().exp().detach() if a.is_leaf else 1", (2,)) == ((2,),)
    assert torch.is_grad_enabled()
