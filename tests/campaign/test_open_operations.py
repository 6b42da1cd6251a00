"""Faults of operations without rules: found and named with PyTorch, and without a reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch

from parity.campaign.search import check
from parity.engines.adapters.torch import Torch
from parity.engines.runner import LocalRunner
from parity.language.operation import Operation
from parity.language.table import OPS
from parity.oracle.own_reference import OwnReference

pytestmark = pytest.mark.slow


class _Cumprod(torch.autograd.Function):
    """Divides by the operand."""

    @staticmethod
    def forward(ctx: Any, a: Any, axis: int) -> Any:
        y = torch.cumprod(a, axis)
        ctx.save_for_backward(a, y)
        ctx.axis = axis
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        a, y = ctx.saved_tensors
        sums = (g * y).flip(ctx.axis).cumsum(ctx.axis).flip(ctx.axis)
        return sums / a, None


class _Gather(torch.autograd.Function):
    """Writes each gradient where it belongs, and does not add."""

    @staticmethod
    def forward(ctx: Any, a: Any, index: Any) -> Any:
        ctx.save_for_backward(a, index)
        return torch.gather(a, 1, index)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        a, index = ctx.saved_tensors
        return torch.zeros_like(a).scatter(1, index, g), None


class _Erf(torch.autograd.Function):
    """Its constant has the precision of float32."""

    @staticmethod
    def forward(ctx: Any, a: Any) -> Any:
        ctx.save_for_backward(a)
        return torch.erf(a)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (a,) = ctx.saved_tensors
        constant = float(torch.tensor(2 / math.sqrt(math.pi), dtype=torch.float32))
        return g * constant * torch.exp(-a * a)


class _SineAndCosine(torch.autograd.Function):
    """Needs the gradients of both results."""

    @staticmethod
    def forward(ctx: Any, a: Any) -> Any:
        ctx.save_for_backward(a)
        ctx.set_materialize_grads(False)
        return torch.sin(a), torch.cos(a)

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        (a,) = ctx.saved_tensors
        return g * torch.cos(a) - h * torch.sin(a)


class _Twice(torch.autograd.Function):
    """Returns one value twice, and counts one of the two gradients."""

    @staticmethod
    def forward(ctx: Any, a: Any) -> Any:
        return a.clone(), a.clone()

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        return g


class Faulty(Torch):
    """PyTorch with five wrong operations."""

    name = "faulty"
    bitwise: ClassVar[bool] = False
    extra_ops: ClassVar[tuple[Operation, ...]] = (
        Operation("sine_and_cosine", "(torch.sin(a), torch.cos(a))"),
        Operation("twice", "(a * 1.0, a * 1.0)"),
    )

    def __init__(self) -> None:
        super().__init__()
        right = {name: self.ops[name] for name in ("add", "mul", "sum", "softmax")}
        self.ops = {  # type: ignore[misc]
            **right,
            "cumprod": lambda a, *, axis: _Cumprod.apply(a, axis),  # type: ignore[no-untyped-call]
            "gather": lambda a, *, indices: _Gather.apply(a, torch.tensor(indices)),  # type: ignore[no-untyped-call]
            "erf": _Erf.apply,
            "sine_and_cosine": _SineAndCosine.apply,
            "twice": _Twice.apply,
        }


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalRunner]:
    yield LocalRunner(Faulty())
    for operation in Faulty.extra_ops:
        del OPS[operation.name]


#: What is said of each operation, with PyTorch as the reference.
NAMED = {
    "cumprod": "the gradient of `cumprod` is nan at zero",
    "gather": "the gradient of `gather` is wrong where an index repeats",
    "erf": "the gradient of `erf` is wrong",
    "sine_and_cosine": "the gradient of `sine_and_cosine` raises",
    "twice": "the gradient of `twice` is wrong",
}


@pytest.mark.parametrize("alone", [False, True], ids=["with PyTorch", "alone"])
def test_each_fault_is_found_and_named(engine: LocalRunner, alone: bool) -> None:
    reference = OwnReference(engine) if alone else Torch()
    result = check(engine, reference, examples=300)
    sentences = {r.cause.name: r.cause.sentence for r in reversed(result.findings) if r.cause}
    for name, words in NAMED.items():
        assert sentences[name].startswith(words), sentences[name]
    assert {r.wrong for r in result.findings} == {"engine"}
    # An operation that raises for one of two results is measured with one at a time, so that
    # what it does for both is not foreseen.
    further = [r for r in result.findings if r.cause and r.cause.name not in NAMED]
    assert all("sine_and_cosine" in r.cause.ops for r in further if r.cause)
    assert len(result.findings) <= len(NAMED) + 2
