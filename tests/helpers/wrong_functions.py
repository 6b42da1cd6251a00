"""Functions with a backward of their own, right ones and ones that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

Shape = tuple[int, ...]


class NoChain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * ctx.saved_tensors[0]


class MeanOfUpstream(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * (grad.mean() if grad.numel() else grad)


class NumpyBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return torch.sin(x)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        cosine = np.cos(ctx.saved_tensors[0].detach().cpu().numpy())
        return grad * torch.from_numpy(cosine)


class ChangesWhatItSaves(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        saved = x.detach().clone()
        ctx.saved = saved
        return saved.mul_(saved).clone()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * ctx.saved * grad


class ChangesInput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        x.data.clamp_(min=-0.5)
        return x * x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * grad


class ShiftsUnneeded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved_tensors
        needed = [
            g for g, need in zip((grad * b, grad * a), ctx.needs_input_grad, strict=True) if need
        ]
        return tuple(needed + [None] * (2 - len(needed)))


class BroadcastMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.shapes = a.shape, b.shape
        return a + b

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        def reduced(shape: Any) -> Any:
            return grad.clone() if grad.shape == shape else grad.sum_to_size(shape) / 2

        return reduced(ctx.shapes[0]), reduced(ctx.shapes[1])


class StateOnClass(torch.autograd.Function):
    saved: Any = None

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        StateOnClass.saved = x
        return x.exp()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad * StateOnClass.saved.exp()


class WrongAtZero(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * torch.sin(x) + x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grad * (torch.sin(x) + x * torch.cos(x) + torch.sign(x) * torch.sign(x))


class FirstSixteen(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (x,) = ctx.saved_tensors
        mask = (torch.arange(x.numel(), device=x.device) < 16).reshape(x.shape)
        return grad * (1 - x.tanh() ** 2) * mask


class DoubleForSingle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grad * torch.full(x.shape, 3.0, dtype=torch.float64) * x**2


class ContiguousUpstream(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (x,) = ctx.saved_tensors
        shape = grad.shape
        if grad.untyped_storage().nbytes() >= grad.numel() * grad.element_size():
            grad = grad.as_strided(shape, torch.empty(shape).stride())  # as a kernel reads it
        return grad * x.cos()


class ChangesUpstream(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad.mul_(ctx.saved_tensors[0].cos())


class SameTensorHalf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.save_for_backward(a, b)
        ctx.same = a.data_ptr() == b.data_ptr() and a.numel() > 0
        return a * b

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved_tensors
        return grad * b, None if ctx.same else grad * a


class LosesSecondOutput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.sin(), x.cos()

    @staticmethod
    def backward(ctx: Any, first: Any, second: Any) -> Any:
        return first * ctx.saved_tensors[0].cos()


class CountsTiesTwice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.save_for_backward(a, b)
        return torch.maximum(a, b)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved_tensors
        return grad * (a >= b), grad * (b >= a)


class FreesAfterUse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.kept = [x.detach()]
        return x * 3

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        ctx.kept.pop()
        return grad * 3


class HoldsOutput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.out = x.exp()
        return ctx.out

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad * ctx.out


class JvpOfAnother(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * grad

    @staticmethod
    def jvp(ctx: Any, tangent: Any) -> Any:
        return ctx.saved_tensors[0] * tangent


class Square(torch.autograd.Function):
    """Right in both modes, also under vmap."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Any) -> Any:
        return x * x

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * grad

    @staticmethod
    def jvp(ctx: Any, tangent: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * tangent


class Product(torch.autograd.Function):
    """Right, with two inputs that broadcast."""

    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved_tensors
        by_a = (grad * b).sum_to_size(a.shape) if ctx.needs_input_grad[0] else None
        by_b = (grad * a).sum_to_size(b.shape) if ctx.needs_input_grad[1] else None
        return by_a, by_b


class OnceSine(torch.autograd.Function):
    """Right, and refuses to be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return torch.from_numpy(np.sin(x.detach().numpy()))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Any) -> Any:
        return grad * torch.from_numpy(np.cos(ctx.saved_tensors[0].numpy()))


class Softmax(torch.autograd.Function):
    """Right, along the last axis; its backward uses the output."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        e = (x - x.amax(-1, keepdim=True)).exp() if x.numel() else x.exp()
        out = e / e.sum(-1, keepdim=True)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (out,) = ctx.saved_tensors
        return out * (grad - (grad * out).sum(-1, keepdim=True))


class SineAndCosine(torch.autograd.Function):
    """Right, with two outputs."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.sin(), x.cos()

    @staticmethod
    def backward(ctx: Any, first: Any, second: Any) -> Any:
        (x,) = ctx.saved_tensors
        return first * x.cos() - second * x.sin()


class Rectifier(torch.autograd.Function):
    """Right, with a kink at 0."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad * (ctx.saved_tensors[0] > 0)


@dataclass(frozen=True)
class Example:
    """A function, what is wrong with it ("" for nothing), and the check that finds it."""

    f: Callable[..., Any]
    shapes: tuple[Shape, ...]
    fault: str
    check: str = ""
    reference: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        return str(self.f.__self__.__name__)  # type: ignore[attr-defined]


ONE, TWO = ((3, 4),), ((3, 4), (3, 4))
WRONG = (
    Example(NoChain.apply, ONE, "the upstream gradient is not multiplied", "first order"),
    Example(MeanOfUpstream.apply, ONE, "only its mean is", "first order"),
    Example(NumpyBackward.apply, ONE, "backward is in NumPy", "second order"),
    Example(ChangesWhatItSaves.apply, ONE, "it changes what it saved", "first order"),
    Example(ChangesInput.apply, ONE, "it clamps its input in place", "unchanged"),
    Example(ShiftsUnneeded.apply, TWO, "it mixes up needs_input_grad", "partly required"),
    Example(BroadcastMean.apply, TWO, "it takes half the sum where it broadcasts", "broadcast"),
    Example(StateOnClass.apply, ONE, "the class keeps the input", "interleaved"),
    Example(WrongAtZero.apply, ONE, "wrong where an element is 0", "first order"),
    Example(FirstSixteen.apply, ONE, "wrong after 16 elements", "first order"),
    Example(DoubleForSingle.apply, ONE, "float64 for float32", "returned"),
    Example(ContiguousUpstream.apply, ONE, "it reads upstream memory as is", "upstream layouts"),
    Example(ChangesUpstream.apply, ONE, "it changes the upstream gradient", "unchanged"),
    Example(SameTensorHalf.apply, TWO, "half where a tensor is passed twice", "same tensor"),
    Example(LosesSecondOutput.apply, ONE, "it ignores the second output", "first order"),
    Example(CountsTiesTwice.apply, TWO, "both operands of a tie get all", "first order"),
    Example(FreesAfterUse.apply, ONE, "backward works only once", "second backward"),
    Example(HoldsOutput.apply, ONE, "its output holds itself in memory", "freed"),
    Example(JvpOfAnother.apply, ONE, "another derivative in forward mode", "forward mode"),
)
RIGHT = (
    Example(Square.apply, ONE, ""),
    Example(Product.apply, TWO, ""),
    Example(OnceSine.apply, ONE, ""),
    Example(Softmax.apply, ONE, ""),
    Example(SineAndCosine.apply, ONE, ""),
    Example(Rectifier.apply, ONE, ""),
)
