"""What a row of the table of operations consists of, and the rules that rows share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from parity.language import intervals as sp
from parity.language import shapes as sh
from parity.language.dyadic import Exact
from parity.language.shapes import Attrs


@dataclass(frozen=True)
class Operation:
    """One operation.

    ``torch``: an expression over ``a``, ``b``, ``d`` (``xs`` where ``arity`` is 0, any
    number) and the attributes' names. ``shape``: a rule of ``parity.language.shapes``.
    ``choices``: the attributes that fit given shapes, simplest first.
    ``span``, ``domain``: rules of ``parity.language.intervals``. ``exact``: how it is exact
    on dyadic numbers, or None. ``rounded``: whether IEEE 754 fixes value and
    gradient, so that engines must agree in every bit on any numbers, or a function
    of the attributes that says so. ``ulps``: the error of a good implementation,
    in units in the last place. ``slope_ulps``: the error of the derivatives
    and, relative to the operand, of the value, where something cancels inside
    (``1 - y * y`` for tanh). ``divides``: whether gradients divide by the operand what
    the value multiplied, so that second derivatives cancel large terms. ``sums``:
    whether elements of one operand are summed; the span rule then gets their number
    as ``n``. ``spreads``: whether an element of the operand may reach several
    results. ``saves``: whether PyTorch keeps operands or the result for backward,
    and so notices a freed graph (semantics.md 1.2). ``promotes``: whether it takes
    operands of mixed dtypes. ``reorders``: whether the result or its gradient is a view
    whose elements do not lie in memory one after another, in the order of the axes.
    """

    name: str
    arity: int
    torch: str
    shape: sh.ShapeRule = sh.elementwise
    choices: Callable[..., list[dict[str, Any]]] | None = None
    attrs: tuple[str, ...] = ()
    span: sp.IntervalRule = sp.hull
    domain: sp.Domain = sp.anywhere
    exact: Exact | None = None
    rounded: bool | Callable[..., bool] = False
    ulps: float = 1.0
    slope_ulps: float = 0.0
    divides: bool = False
    sums: bool = False
    spreads: bool = False
    saves: bool = False
    promotes: bool = True
    reorders: bool = False

    @functools.cached_property
    def function(self) -> Callable[..., Any]:
        """PyTorch's function, compiled from the row's expression."""
        return eval(self.source, {"torch": torch})  # type: ignore[no-any-return]

    def is_rounded(self, attrs: Attrs) -> bool:
        """Whether IEEE 754 fixes value and gradient with these attributes."""
        return self.rounded(**dict(attrs)) if callable(self.rounded) else self.rounded

    @property
    def source(self) -> str:
        """PyTorch's function as the text of a lambda."""
        parameters = ["a", "b", "d"][: self.arity] if self.arity else ["*xs"]
        keywords = ([] if not self.attrs or not self.arity else ["*"]) + list(self.attrs)
        return f"lambda {', '.join(parameters + keywords)}: {self.torch}"
