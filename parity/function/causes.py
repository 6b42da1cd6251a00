"""What typically is the cause of a fault, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.function.cases import Array


@dataclass(frozen=True)
class Cause:
    """What typically is the cause, and how to mend it."""

    text: str
    mend: str


@dataclass(frozen=True)
class Evidence:
    """What is known of a wrong gradient.

    Attributes
    ----------
    where
        When the gradient is wrong; "" for everywhere.
    expected, actual
        The right gradient and the one of the function.
    scales
        Whether the gradient doubles with the upstream gradient.
    """

    where: str
    expected: Array
    actual: Array
    scales: bool


def _ratio(e: Evidence) -> float | None:
    """Return the factor between the gradients, if there is one."""
    used = e.expected != 0
    if e.actual.shape != e.expected.shape or not used.any():
        return None
    ratios = e.actual[used] / e.expected[used]
    constant = np.allclose(ratios, ratios[0], rtol=1e-5) and not e.actual[~used].any()
    return float(ratios[0]) if constant and np.isfinite(ratios[0]) else None


#: Causes of a wrong first derivative; the first that fits counts.
_FIRST: tuple[tuple[Callable[[Evidence], bool], Cause], ...] = (
    (
        lambda e: not np.isfinite(e.actual).all(),
        Cause(
            "the formula divides 0 by 0 or takes the root or logarithm of 0",
            "choose the value at that point, with torch.where around operand and result",
        ),
    ),
    (
        lambda e: not e.scales,
        Cause(
            "backward does not multiply by the upstream gradient",
            "return grad_output * derivative",
        ),
    ),
    (
        lambda e: "not uniform" in e.where,
        Cause(
            "backward uses one number of the upstream gradient, its mean, or its sum",
            "multiply elementwise by grad_output before anything is summed",
        ),
    ),
    (
        lambda e: "output" in e.where,
        Cause(
            "backward ignores the upstream gradient of one output",
            "add what each of the grad_outputs contributes",
        ),
    ),
    (
        lambda e: "more than" in e.where,
        Cause(
            "a loop, block or mask of the kernel covers only the first elements",
            "launch enough blocks, and mask by the number of elements",
        ),
    ),
    (
        lambda e: "is 0" in e.where,
        Cause(
            "the derivative is taken from a sign, a quotient or a comparison that is off at 0",
            "test the formula at 0; look at < against <=",
        ),
    ),
    (
        lambda e: "equal" in e.where,
        Cause(
            "each of several equal elements gets the gradient in full, or none does",
            "give it to one of them, or share it among all",
        ),
    ),
    (
        lambda e: _ratio(e) == 0,
        Cause(
            "backward returns None or zeros, or the value was detached on the way",
            "return the gradient in the place of this input; avoid detach, .data and numpy",
        ),
    ),
    (
        lambda e: abs((_ratio(e) or 0) + 1) < 1e-6,
        Cause("the sign of the derivative is wrong", "compare the sign with that of the formula"),
    ),
    (
        lambda e: np.allclose(e.actual, e.expected, rtol=1e-6),
        Cause(
            "a constant of float32, or an epsilon, in the formula of the gradient",
            "write the constant as a Python float, or with dtype=grad_output.dtype",
        ),
    ),
    (
        lambda e: _ratio(e) is not None,
        Cause(
            "a constant factor of the derivative is missing or counted twice",
            "derive the formula again; look for means, halves and scales",
        ),
    ),
    (
        lambda e: True,
        Cause(
            "a factor of the chain rule is missing, or what was saved was changed since",
            "derive the formula again; save what it needs with ctx.save_for_backward",
        ),
    ),
)


def cause_of(evidence: Evidence) -> Cause:
    """Return the typical cause of a wrong first derivative.

    Examples
    --------
    >>> one = np.ones(2)
    >>> cause_of(Evidence("", one, -one, scales=True)).text
    'the sign of the derivative is wrong'
    """
    with np.errstate(all="ignore"):
        return next(cause for fits, cause in _FIRST if fits(evidence))


_STATE = Cause(
    "something is kept on the class, in a global or in a cache instead of on ctx",
    "save tensors with ctx.save_for_backward, and other values as attributes of ctx",
)
_STRIDES = Cause(
    "a kernel reads the memory of a tensor as if it were contiguous",
    "call .contiguous() first, or pass the strides to the kernel; use reshape instead of view",
)
#: The causes of the other checks by name.
CAUSES: dict[str, Cause] = {
    "values": Cause(
        "the forward computes another function than the reference",
        "compare the two formulas at the inputs above",
    ),
    "error": Cause(
        "backward raises, or returns another number of gradients than forward has inputs",
        "return one gradient or None for each input of forward",
    ),
    "second order": Cause(
        "backward computes outside of the graph: numpy, detach, .data, .item(), no_grad, or a "
        "tensor that was kept as an attribute of ctx instead of with ctx.save_for_backward",
        "use operations on tensors in backward, or a Function of its own for it; else decorate "
        "backward with torch.autograd.function.once_differentiable, so that it raises",
    ),
    "repeated": Cause(
        "state that is kept between calls, uninitialized memory (torch.empty), or random numbers",
        "reset the state in each call; use torch.zeros; pass the random numbers as an input",
    ),
    "unchanged": Cause(
        "an in-place operation on an input or on grad_output",
        "work on a clone; if an input shall change, call ctx.mark_dirty",
    ),
    "upstream layouts": _STRIDES,
    "input layouts": _STRIDES,
    "partly required": Cause(
        "backward mixes up ctx.needs_input_grad: it skips what is needed, or returns gradients in "
        "other places",
        "return one entry per input of forward, None where needs_input_grad is False",
    ),
    "same tensor": Cause(
        "the function compares its inputs by identity or memory, or writes gradients to one buffer",
        "return a gradient for each input; PyTorch adds them",
    ),
    "broadcast": Cause(
        "backward does not sum over the axes that were expanded, or over the wrong ones",
        "return grad.sum_to_size(input.shape)",
    ),
    "second backward": Cause(
        "backward changes or frees what it saved",
        "leave saved tensors as they are, and do not delete attributes of ctx",
    ),
    "interleaved": _STATE,
    "between": Cause(
        "backward depends on inputs being leaves, or on upstream gradients being passed directly",
        "use only ctx and the arguments of backward",
    ),
    "freed": Cause(
        "an output kept as an attribute of ctx, which makes a circle, or a tensor on the class or "
        "in a cache",
        "save it with ctx.save_for_backward",
    ),
    "no_grad": Cause(
        "the forward depends on requires_grad or on torch.is_grad_enabled()",
        "compute the same values with and without gradients",
    ),
    "checkpoint": Cause(
        "the forward does not compute the same again, or keeps state from the first run",
        "make the forward depend on its inputs alone",
    ),
    "forward mode": Cause(
        "jvp has another formula than backward",
        "derive both from the same derivative",
    ),
    "vmap": Cause(
        "the vmap rule moves or reduces the wrong axis",
        "move the axis of in_dims to the front, and set generate_vmap_rule = True if you can",
    ),
    "compile": Cause(
        "the function reads memory addresses or values, or keeps state, that a trace does not see",
        "wrap the kernel as torch.library.custom_op",
    ),
    "returned": Cause(
        "a constant or a buffer of another type in backward",
        "create tensors with dtype=grad_output.dtype, or convert the result",
    ),
    "float32": Cause(
        "the formula cancels, or a constant has too few digits",
        "rewrite it (log1p, expm1, subtract the largest first), or accumulate in float64",
    ),
    "bfloat16": Cause(
        "sums are accumulated in bfloat16",
        "convert to float32 inside, and round the result once",
    ),
}
