"""``Operation``, a row of the table of operations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import AttributeKind
from parity.language.dyadic import DyadicRule
from parity.language.shapes import Attrs


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation: a row holds all that parity knows of it.

    Only ``name``, ``arity`` and ``torch`` are required. The generator draws the
    operation, the reference computes it, and shrinking, reports and scripts show it
    as soon as its row is registered (``parity.language.table.register``). What a row
    leaves out is only missed where it is named below.

    Attributes
    ----------
    name
        The name in programs, and in ``Engine.ops``.
    arity
        How many operands it takes; 0: any number, at least one.
    torch
        How PyTorch computes it: an expression over the operands ``a``, ``b``, ``d``
        (``xs`` for any number), the names of the attributes, and ``torch``.
    shape
        The shapes of the results from the shapes of the operands and the attributes: a rule
        of ``parity.language.shapes``. It raises ShapeError where the operation does
        not apply.
    choices
        The attributes that fit operands of given shapes, simplest first. The generator
        draws from them, and shrinking walks to the front. None: there are no attributes.
    attrs
        The kind of each attribute by its name, in the order in which scripts show them.
    interval
        Between which bounds the results lie, from the bounds of the operands: a rule of
        ``parity.language.intervals``.
    domain
        Whether the operation may be applied between these bounds.
    dyadic
        How it is exact on multiples of a power of two (``parity.language.dyadic``);
        None: it rounds, so that programs with it are compared with a tolerance.
    rounded
        Whether IEEE 754 fixes value and gradient, so that engines must agree in every
        bit on any numbers; or a function of the attributes that says so.
    ulps
        The error of a good implementation, in units in the last place.
    slope_ulps
        The error of the derivatives and, relative to the operand, of the value, where
        something cancels inside (``1 - y * y`` for tanh).
    divides
        Whether gradients divide by the operand what the value multiplied, so that
        second derivatives cancel large terms.
    sums
        Whether elements of one operand are summed. The interval rule then gets their
        number as ``n``.
    spreads
        Whether an element of the operand may reach several results.
    saves
        Whether PyTorch keeps operands or the result for backward, and so notices a
        freed graph (docs/semantics.md 1.2).
    promotes
        Whether it takes operands of mixed dtypes.
    kink
        How the side on which an operand lies, or the elements that tie, decide the derivative:
        "slope" if the value is continuous there, "step" if it jumps, "" if there is no kink.
        Engines whose operands are on the same side must agree in the choice
        (docs/semantics.md 9), and ``parity.oracle.exact.kinks.SIDES`` says what the sides are.
    reorders
        Whether the result or its gradient is a view whose elements do not lie in memory
        one after another, in the order of the axes.
    exact_rule
        How the exact evaluation computes it, a
        ``parity.oracle.exact.building.ExactRule``; None: as
        ``parity.oracle.exact.rules`` says. Without either there is no verdict on
        programs with the operation.
    vjp
        Value and gradient on the engine that the known defects are built on, as
        functions of NumPy arrays (``parity.diagnose.defects.vjps.Rule``); None: as that
        module says. Without either no defect is tried on programs with the operation.

    Examples
    --------
    A function of one number, and an operation with attributes of its own:

    >>> import math
    >>> from parity.language.attributes import INTEGER, AXIS
    >>> from parity.language.dyadic import MOVES
    >>> cosh = Operation(
    ...     "cosh", 1, "torch.cosh(a)", domain=iv.small, saves=True, ulps=4, slope_ulps=4,
    ...     interval=lambda a: (1.0, math.cosh(max(abs(a[0]), abs(a[1])))),
    ... )
    >>> roll = Operation(
    ...     "roll", 1, "torch.roll(a, shifts, axis)", dyadic=MOVES, rounded=True,
    ...     shape=lambda a, *, shifts, axis: sh.along_axis(a, axis=axis),
    ...     choices=lambda a: [{"shifts": 1, **choice} for choice in sh.axis_choices(a)],
    ...     attrs={"shifts": INTEGER, "axis": AXIS},
    ... )
    >>> roll.source
    'lambda a, *, shifts, axis: torch.roll(a, shifts, axis)'
    """

    name: str
    arity: int
    torch: str
    shape: sh.ShapeRule = sh.elementwise
    choices: sh.Choices | None = None
    attrs: Mapping[str, AttributeKind] = field(default_factory=dict)
    interval: iv.IntervalRule = iv.hull
    domain: iv.Domain = iv.anywhere
    dyadic: DyadicRule | None = None
    rounded: bool | Callable[..., bool] = False
    ulps: float = 1.0
    slope_ulps: float = 0.0
    divides: bool = False
    sums: bool = False
    spreads: bool = False
    saves: bool = False
    promotes: bool = True
    kink: str = ""
    reorders: bool = False
    # Of types that this package does not know: the packages that use them lie above it.
    exact_rule: Any = None
    vjp: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    @functools.cached_property
    def function(self) -> Callable[..., Any]:
        """PyTorch's function, compiled from the row's expression."""
        import torch  # only here: the table is read where PyTorch is not needed

        return eval(self.source, {"torch": torch})  # type: ignore[no-any-return]

    def is_rounded(self, attrs: Attrs) -> bool:
        """Whether IEEE 754 fixes value and gradient with these attributes."""
        return self.rounded(**dict(attrs)) if callable(self.rounded) else self.rounded

    @property
    def source(self) -> str:
        """PyTorch's function as the text of a lambda."""
        parameters = ["a", "b", "d"][: self.arity] if self.arity else ["*xs"]
        keywords = (["*"] if self.attrs and self.arity else []) + list(self.attrs)
        return f"lambda {', '.join(parameters + keywords)}: {self.torch}"
