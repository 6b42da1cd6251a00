"""Forms of an operation in PyTorch that mean the same (``parity.language.forms``).

Each function takes the name of the operation, the operation and its arguments. The compiler under
test traces this code, so it is written as a user would; scripts of findings hold the whole module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.utils.checkpoint

#: Values of an operation, and the gradient of each operand from that of the result.
VALUES: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "square": lambda a: a * a,
    "sin": torch.sin,
    "cos": torch.cos,
    "exp": torch.exp,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "sqrt": torch.sqrt,
}
#: From the operands that were kept, or from the result.
OF_OPERANDS: dict[str, Callable[..., Any]] = {
    "mul": lambda g, a, b: (g * b, g * a),
    "div": lambda g, a, b: (g / b, -g * ((a / b) / b)),
    "square": lambda g, a: (g * (2.0 * a),),
    "sin": lambda g, a: (g * a.cos(),),
    "cos": lambda g, a: (g * -a.sin(),),
}
OF_RESULT: dict[str, Callable[..., Any]] = {
    "exp": lambda g, y: (g * y,),
    "tanh": lambda g, y: (g * (1.0 - y * y),),
    "sigmoid": lambda g, y: (g * ((1.0 - y) * y),),
    "relu": lambda g, y: (g * (y > 0),),
    "sqrt": lambda g, y: (g / (2.0 * y),),
}
OF_NOTHING: dict[str, Callable[..., Any]] = {
    "add": lambda g, c: (g, g),
    "sub": lambda g, c: (g, -g),
    "neg": lambda g, c: (-g,),
    "mul_scalar": lambda g, c: (g * c,),
}


def value_of(name: str, tensors: Any, c: float) -> Any:
    return tensors[0] * c if name == "mul_scalar" else VALUES[name](*tensors)


def gradients_of(ctx: Any, g: Any, saved: Any) -> Any:
    """Return the gradients of the operands, each summed to its shape."""
    if ctx.name in OF_OPERANDS:
        found = OF_OPERANDS[ctx.name](g, *saved)
    elif ctx.name in OF_RESULT:
        found = OF_RESULT[ctx.name](g, *saved)
    else:
        found = OF_NOTHING[ctx.name](g, ctx.c)
    return tuple(one.sum_to_size(shape) for one, shape in zip(found, ctx.shapes, strict=True))


def kept(name: str, tensors: Any, y: Any) -> Any:
    """Return what an operation keeps for its backward."""
    return tensors if name in OF_OPERANDS else (y,) if name in OF_RESULT else ()


class Through(torch.autograd.Function):
    """An operation of one or two operands; ``c`` is the number of ``mul_scalar``."""

    @staticmethod
    def forward(ctx: Any, name: str, c: float, *tensors: Any) -> Any:
        y = value_of(name, tensors, c)
        ctx.name, ctx.c, ctx.shapes = name, c, [t.shape for t in tensors]
        ctx.save_for_backward(*kept(name, tensors, y))
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return (None, None, *gradients_of(ctx, g, ctx.saved_tensors))


class ThroughSetup(torch.autograd.Function):
    """The same with ``setup_context``."""

    @staticmethod
    def forward(name: str, c: float, *tensors: Any) -> Any:
        return value_of(name, tensors, c)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.name, ctx.c, *tensors = inputs
        ctx.shapes = [t.shape for t in tensors]
        ctx.save_for_backward(*kept(ctx.name, tuple(tensors), output))

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return (None, None, *gradients_of(ctx, g, ctx.saved_tensors))


class ThroughAttribute(torch.autograd.Function):
    """The same, which keeps operands as attributes of the context, and the shapes of all."""

    @staticmethod
    def forward(ctx: Any, name: str, c: float, *tensors: Any) -> Any:
        ctx.name, ctx.c, ctx.shapes = name, c, tuple(t.shape for t in tensors)
        y = value_of(name, tensors, c)
        ctx.kept = tuple(t.detach().clone() for t in kept(name, tensors, y))
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return (None, None, *gradients_of(ctx, g, ctx.kept))


class ThroughLazy(torch.autograd.Function):
    """The same, without zeros for gradients that are missing."""

    @staticmethod
    def forward(ctx: Any, name: str, c: float, *tensors: Any) -> Any:
        ctx.set_materialize_grads(False)
        y = value_of(name, tensors, c)
        ctx.name, ctx.c, ctx.shapes = name, c, [t.shape for t in tensors]
        ctx.save_for_backward(*kept(name, tensors, y))
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        if g is None:
            return (None, None, *(None for _ in ctx.shapes))
        return (None, None, *gradients_of(ctx, g, ctx.saved_tensors))


class ThroughOut(torch.autograd.Function):
    """A sum or product whose forward writes with ``out=``."""

    @staticmethod
    def forward(ctx: Any, name: str, a: Any, b: Any) -> Any:
        y = torch.empty((a + b).shape, dtype=a.dtype)
        (torch.mul if name == "mul" else torch.add)(a, b, out=y)
        ctx.name, ctx.c, ctx.shapes = name, 1.0, [a.shape, b.shape]
        ctx.save_for_backward(*kept(name, (a, b), y))
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return (None, *gradients_of(ctx, g, ctx.saved_tensors))


class Identity(torch.autograd.Function):
    """The identity, with a new tensor as result."""

    @staticmethod
    def forward(ctx: Any, a: Any) -> Any:
        return a.clone()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g


class IdentityView(torch.autograd.Function):
    """The identity, with a view as result."""

    @staticmethod
    def forward(ctx: Any, a: Any) -> Any:
        return a.view_as(a)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g.clone()


class Scaled(torch.autograd.Function):
    """Multiplies a tensor in place."""

    @staticmethod
    def forward(ctx: Any, a: Any, c: float) -> Any:
        ctx.c = c
        a.mul_(c)
        ctx.mark_dirty(a)
        return a

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * ctx.c, None


class Module(torch.nn.Module):
    """A module whose forward is the operation that it gets."""

    def forward(self, f: Callable[..., Any], tensors: Any, attrs: Any) -> Any:
        return f(*tensors, **attrs)


MODULE = Module()
IN_PLACE: dict[str, Callable[..., Any]] = {
    "add": lambda y, b: y.add_(b),
    "sub": lambda y, b: y.sub_(b),
    "mul": lambda y, b: y.mul_(b),
    "div": lambda y, b: y.div_(b),
    "neg": lambda y: y.neg_(),
    "exp": lambda y: y.exp_(),
    "sin": lambda y: y.sin_(),
    "cos": lambda y: y.cos_(),
    "tanh": lambda y: y.tanh_(),
    "sigmoid": lambda y: y.sigmoid_(),
    "square": lambda y: y.square_(),
}


def function(name: str, f: Any, *xs: Any, c: float = 1.0) -> Any:
    return Through.apply(name, c, *xs)  # type: ignore[no-untyped-call]


def function_setup(name: str, f: Any, *xs: Any, c: float = 1.0) -> Any:
    return ThroughSetup.apply(name, c, *xs)  # type: ignore[no-untyped-call]


def function_attribute(name: str, f: Any, *xs: Any, c: float = 1.0) -> Any:
    return ThroughAttribute.apply(name, c, *xs)  # type: ignore[no-untyped-call]


def function_lazy(name: str, f: Any, *xs: Any, c: float = 1.0) -> Any:
    return ThroughLazy.apply(name, c, *xs)  # type: ignore[no-untyped-call]


def function_out(name: str, f: Any, a: Any, b: Any) -> Any:
    return ThroughOut.apply(name, a, b)  # type: ignore[no-untyped-call]


def identity(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return f(*[Identity.apply(x) for x in xs], **attrs)  # type: ignore[no-untyped-call]


def identity_twice(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return f(*[Identity.apply(Identity.apply(x)) for x in xs], **attrs)  # type: ignore[no-untyped-call]


def identity_view(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return f(*[IdentityView.apply(x) for x in xs], **attrs)  # type: ignore[no-untyped-call]


def identity_result(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return Identity.apply(f(*xs, **attrs))  # type: ignore[no-untyped-call]


def square_as_product(name: str, f: Any, a: Any) -> Any:
    return Through.apply("mul", 1.0, a, a)  # type: ignore[no-untyped-call]


def dirty(name: str, f: Any, a: Any, c: float = -1.0) -> Any:
    return Scaled.apply(a.clone(), c)  # type: ignore[no-untyped-call]


def in_place(name: str, f: Any, a: Any, *others: Any) -> Any:
    y = a.clone()
    IN_PLACE[name](y, *others)
    return y


def in_place_view(name: str, f: Any, a: Any, *others: Any) -> Any:
    y = a.clone(memory_format=torch.contiguous_format)
    IN_PLACE[name](y.view(-1), *[b.reshape(-1) for b in others])
    return y


def write(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    result = f(*xs, **attrs)
    y = torch.zeros_like(result)
    y.copy_(result)
    return y


def write_view(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    result = f(*xs, **attrs)
    y = torch.zeros(result.shape, dtype=result.dtype)
    y.view(-1).copy_(result.reshape(-1))
    return y


def write_index(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    result = f(*xs, **attrs)
    y = torch.zeros_like(result)
    y[...] = result
    return y


def copy(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return f(*[x.clone() for x in xs], **attrs)


def as_tuple(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    def apply(pair: Any) -> Any:
        tensors, named = pair
        return f(*tensors, **named), len(tensors)

    y, _ = apply((xs, attrs))
    return y


def as_dictionary(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    def apply(given: dict[str, Any]) -> dict[str, Any]:
        tensors = [given[key] for key in sorted(given)]
        return {"first": tensors[0], "result": f(*tensors, **attrs)}

    return apply({f"operand{i}": x for i, x in enumerate(xs)})["result"]


def as_list(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    tensors: list[Any] = []
    for x in xs:
        tensors.append(x)  # the loop is what is tested
    return f(*tensors, **attrs)


def closure(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    def inner() -> Any:
        return f(*xs, **attrs)

    return inner()


def generator(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return next(f(*xs, **attrs) for _ in range(1))


def with_default(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return (lambda tensors=xs, named=attrs: f(*tensors, **named))()


def module(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return MODULE(f, xs, attrs)


def module_tied(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    first = MODULE(f, xs, attrs)
    MODULE(f, xs, attrs)
    return first


def checkpoint(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    def inner(*tensors: Any) -> Any:
        return f(*tensors, **attrs)

    return torch.utils.checkpoint.checkpoint(inner, *xs, use_reentrant=False)


def checkpoint_reuse(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return checkpoint(name, f, *xs, **attrs) * 1.0


def vmap(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    def inner(*tensors: Any) -> Any:
        return f(*tensors, **attrs)

    return torch.vmap(inner)(*[x.unsqueeze(0) for x in xs]).squeeze(0)


def cond(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    def inner(*tensors: Any) -> Any:
        return f(*tensors, **attrs)

    def other(*tensors: Any) -> Any:
        return -f(*tensors, **attrs)

    copies = tuple(x.clone() for x in xs)  # operands that share memory are refused
    return torch.cond(torch.ones((), dtype=torch.bool), inner, other, copies)


def branch(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    if xs[0].ndim >= 0 and xs[0].numel() >= 0:
        return f(*xs, **attrs)
    return -f(*xs, **attrs)


def grad_mode(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    before = torch.is_grad_enabled()
    with torch.no_grad():
        f(*xs, **attrs)
        with torch.set_grad_enabled(before):
            return f(*xs, **attrs)


def unpacked(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return f(*torch.stack(xs).unbind(0), **attrs)


def transposed(name: str, f: Any, *xs: Any, **attrs: Any) -> Any:
    return f(*[x.mT.mT if x.ndim > 1 else x.unsqueeze(0).t().squeeze(-1) for x in xs], **attrs)


#: By the names of ``parity.language.forms``; "argument" is a matter of the whole function.
FORMS: dict[str, Callable[..., Any]] = {
    "function": function,
    "function-setup": function_setup,
    "function-lazy": function_lazy,
    "function-attribute": function_attribute,
    "function-out": function_out,
    "identity": identity,
    "identity-twice": identity_twice,
    "identity-view": identity_view,
    "identity-result": identity_result,
    "square-as-product": square_as_product,
    "dirty": dirty,
    "in-place": in_place,
    "in-place-view": in_place_view,
    "write": write,
    "write-view": write_view,
    "write-index": write_index,
    "copy": copy,
    "tuple": as_tuple,
    "dictionary": as_dictionary,
    "list": as_list,
    "closure": closure,
    "generator": generator,
    "lambda": with_default,
    "module": module,
    "module-tied": module_tied,
    "checkpoint": checkpoint,
    "checkpoint-reuse": checkpoint_reuse,
    "vmap": vmap,
    "cond": cond,
    "branch": branch,
    "grad-mode": grad_mode,
    "unpacked": unpacked,
    "transposed": transposed,
}
