"""Error bounds for operations without a rule: PyTorch with rounding errors in every step.

Samples as in ``parity.oracle.tolerance``, but each operation of ATen, forward and backward, gets
random errors in its results, not each operation of the table: nothing is known of an operation
but that PyTorch computes it. Operations that only move or choose numbers are left as they are.

Inside one operation numbers may cancel, as in the sums of a determinant or of a fused kernel. So
errors up to a few roundings of the largest number of an array are allowed in all of it.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from parity.engines.adapters.torch import Functions, Torch
from parity.engines.base import Engine, ProgramEngine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.table import OPS
from parity.oracle.choices import Choice
from parity.oracle.perturbed import NOISE_RANGE
from parity.oracle.tolerance import Tolerance

#: The errors of one operation of ATen, and of leaves and seeds, in units in the last place.
ULPS, LEAF_ULPS = 4.0, 2.0
#: Operations of ATen without rounding errors; ``max`` and others compare the result with the
#: operand in the backward. Views are found by their schema.
_EXACT = re.compile(
    r"(a?max|a?min|f?max|f?min|aminmax|max(imum|_.*)|min(imum|_.*)|nan_?to_?num|clamp.*|relu_?"
    r"|sort|argsort|topk|kthvalue|(nan)?median|mode|cum(max|min)|unique.*|floor|ceil|round|trunc"
    r"|sgn|sign|neg|abs|threshold.*|hardtanh.*|hardshrink|softshrink"
    r"|(new_)?(zeros|ones|full|empty)(_like|_strided)?|arange|eye|linspace|scalar_tensor"
    r"|clone|_?to_copy|copy|_unsafe_view|cat|stack|flip|roll|rot90|repeat|tile|where|fill"
    r"|gather|take|embedding|index(_select|_put|_fill|_copy)?|_unsafe_index|masked_(fill|select)"
    r"|masked_scatter|scatter|(select|slice|diagonal|as_strided)_(scatter|backward)|im2col"
    r"|tri[lu]|diag_embed|.*_pad(_?\dd|_nd)|pixel_(un)?shuffle|channel_shuffle|complex)_?"
)

#: Arguments with which a reduction or a norm only chooses numbers.
_CHOOSING = frozenset({"amax", "amin", "max", "min", math.inf, -math.inf})


@functools.cache
def _rounds(function: Any) -> bool:
    """Whether an operation of ATen rounds its results."""
    returns = function._schema.returns
    is_view = any(r.alias_info is not None and not r.alias_info.is_write for r in returns)
    return not is_view and _EXACT.fullmatch(function.overloadpacket.__name__) is None


def _chooses(*arguments: Any) -> bool:
    """Whether an operation of ATen with these arguments only chooses numbers."""
    return any(isinstance(a, (str, float)) and a in _CHOOSING for a in arguments)


class RoundedOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context in which each operation of ATen has random errors in its results.

    ``unit``: the unit roundoff of the errors; 0 for none.

    Examples
    --------
    >>> one = torch.ones((), dtype=torch.float64)
    >>> with RoundedOperations(2.0**-10, seed=0):
    ...     y = one + one
    >>> 0 < abs(y.item() - 2) < 2 * 2 * 4 * 2.0**-10
    True
    """

    def __init__(self, unit: float, seed: Any, ulps: float = ULPS) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.unit, self.ulps = unit, ulps
        self.random = np.random.default_rng(seed)
        self.count = 0  # of random numbers drawn so far

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not self.unit or not _rounds(func) or _chooses(*args, *kwargs.values()):
            return result
        change = self.change if func._schema.is_mutable else self.disturbed
        return tree_map_only(torch.Tensor, change, result)

    def disturbed(self, t: Any, ulps: float | None = None) -> Any:
        """Return a tensor with random errors; what holds no such numbers is returned itself."""
        return t * self.factors(t, ulps) if _has_fractions(t) and self.unit else t

    def change(self, t: Any) -> Any:
        """Add random errors to the result of an operation in place."""
        return t.mul_(self.factors(t)) if _has_fractions(t) else t

    def factors(self, t: Any, ulps: float | None = None) -> Any:
        """Draw numbers near 1 of either sign of error, in the shape of ``t``."""
        drawn = self.random.uniform(-1.0, 1.0, tuple(t.shape))
        self.count += t.numel()
        low, high = NOISE_RANGE
        noise = np.copysign(low + (high - low) * np.abs(drawn), drawn)
        return torch.as_tensor(1 + self.unit * (self.ulps if ulps is None else ulps) * noise)


def _has_fractions(t: Any) -> bool:
    numbers = t.is_floating_point() or t.is_complex()
    # PyTorch infers some shapes on tensors without memory ("meta"). A product with its tensor of
    # zeros without memory ends the process here.
    held = t.layout is torch.strided and not t.is_meta and not t._is_zerotensor()
    return numbers and held


class Rounded(Torch):
    """PyTorch in float64 with random errors in each operation of ATen.

    ``leaf_ulps``: the errors of leaves and of gradients that are passed to a backward; they stand
    for those inside an operation, as far as it is stable.
    """

    name = "torch, rounded"

    def __init__(
        self, unit: float, seed: Any, ulps: float = ULPS, leaf_ulps: float = LEAF_ULPS
    ) -> None:
        super().__init__()
        self.mode = RoundedOperations(unit, seed, ulps)
        self.leaf_ulps = leaf_ulps
        plain = self.ops
        self.ops = Functions(lambda name: self.rounded(plain[name]))  # type: ignore[misc]

    @property
    def count(self) -> int:
        """How many random numbers were drawn."""
        return self.mode.count

    def rounded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*xs: Any, **attrs: Any) -> Any:
            with self.mode:
                return function(*xs, **attrs)

        return apply

    def disturbed(self, array: NDArray[Any]) -> NDArray[Any]:
        wide = torch.tensor(array.astype(np.float64))
        result: NDArray[Any] = self.mode.disturbed(wide, self.leaf_ulps).numpy()
        return result

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return super().leaf(self.disturbed(array), requires_grad)

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        seed = None if gradient is None else self.disturbed(gradient)
        with self.mode:
            super().backward(t, seed, **flags)


#: A difference above this part of the largest number of an array is no rounding, where the
#: samples scatter only because errors in the leaves break ties.
CLEAR = 1e-3


class NormwiseTolerance(Tolerance):
    """The error bounds of a program with operations of which only PyTorch's function is known.

    Examples
    --------
    >>> from parity.language.text_format import program_from_text
    >>> program = program_from_text("x0 = leaf([2.0, 1e-9])\\nx1 = exp(x0)")
    >>> e = np.exp(np.array([2.0, 1e-9]))
    >>> bool((NormwiseTolerance(program).bound(0, e) < 1e-12).all())
    True
    """

    leaf_ulps = LEAF_ULPS

    def _least(self, reference: NDArray[Any]) -> NDArray[Any]:
        return 8 * self._floor(reference) + 16 * self.unit * _largest(reference)

    def _sampled(self, index: int, shape: tuple[int, ...]) -> NDArray[Any]:
        bound = super()._sampled(index, shape)
        exact = self._prepared().observations
        array = exact[index].array if index < len(exact) else None
        clear = 0.0 if array is None else CLEAR * _largest(array)
        if not self.leaf_ulps or not (bound > clear).any():
            return bound
        self._still._wanted = self._wanted
        of_operations = self._still._sampled(index, shape)
        limited: NDArray[Any] = np.maximum(of_operations, np.minimum(bound, clear))
        return limited

    @functools.cached_property
    def _still(self) -> NormwiseTolerance:
        """The bounds without errors in leaves, so that those that tie still do."""
        still = NormwiseTolerance(self.program, self.bitwise, self.quirks, self.right)
        still.leaf_ulps = 0.0
        return still

    def _prepared(self) -> Trace:
        if self._base is None:
            self._base = self._without_errors()
        return self._base

    @property
    def _clearly(self) -> dict[int, float]:
        return {}  # choices inside operations are not seen

    def _run(self, unit: float, seed: Any, choices: Sequence[Choice] = ()) -> tuple[Trace, int]:
        applied = (s.op for s in self.program.statements if isinstance(s, pr.Apply))
        ulps = max((OPS[op].ulps for op in applied), default=ULPS)
        engine = Rounded(unit, seed, max(ulps, ULPS), self.leaf_ulps)
        return execute(self.program, with_quirks(engine, self.quirks)), engine.count


class Strict(Tolerance):
    """No differences at all, whatever the program computes."""

    strict = True


def tolerance_of(
    program: pr.Program,
    bitwise: bool = False,
    quirks: frozenset[str] = frozenset(),
    reference: Engine | None = None,
    right: Trace | None = None,
) -> Tolerance:
    """Return the error bounds of a program: by the rules of its operations, if all have some.

    ``right``: the run of the reference, if there is one already; it serves if that is PyTorch.
    """
    if is_own(reference):
        return Strict(program)
    kind = Tolerance if have_rules(program) else NormwiseTolerance
    return kind(program, bitwise, quirks, right if _is_pytorch(reference) else None)


def _is_pytorch(reference: Engine | None) -> bool:
    """Return whether a reference is PyTorch, also with quirks; nothing is imported for it."""
    plain = getattr(reference, "inner", reference)
    return type(plain).__module__ == "parity.engines.adapters.torch"


def is_own(reference: Engine | None) -> bool:
    """Return whether a reference is the forward of the engine itself."""
    return isinstance(reference, ProgramEngine) and reference.is_strict


def have_rules(program: pr.Program) -> bool:
    """Return whether all operations of a program have rules."""
    return all(OPS[s.op].has_rules for s in program.statements if isinstance(s, pr.Apply))


def _largest(array: NDArray[Any]) -> float:
    """Return the largest absolute value of those that are finite."""
    sizes = np.abs(array.astype(np.float64))
    return float(np.max(sizes[np.isfinite(sizes)], initial=0.0))
