"""``Operation``, a row of the table of operations."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypeVar

from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import AttributeKind
from parity.language.domains import Domain, domains_of
from parity.language.dyadic import DyadicRule
from parity.language.expression import compiled, spelled_out
from parity.language.measured import measured_shapes
from parity.language.named_kinds import NAMED_KINDS as KINDS
from parity.language.named_kinds import combinations_of, kinds_of
from parity.language.shapes import Attrs, Shape
from parity.language.templates import Template

T = TypeVar("T")

#: The names of operands in an expression.
OPERANDS = "abcdefghi"


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation: a row holds all that parity knows of it.

    The first fields are plain data, and they suffice: shapes of results come from a run of
    PyTorch, numbers from the domain, error bounds from PyTorch with random roundings, and the
    derivative is compared with differences of the function itself. The further fields are
    optional rules. They make an operation part of programs whose arithmetic is exact, give tight
    error bounds, and let the generator judge it without a run.

    Attributes
    ----------
    name
        The name in programs, and in ``Engine.ops``.
    torch
        How PyTorch computes it: an expression over the operands ``a``, ``b``, ``c`` ...
        (``xs`` for any number), the names of the attributes, ``torch``, and ``F`` for
        ``torch.nn.functional``. None: PyTorch does not have it, and the operation is compared
        with differences of its own forward alone.
    operands
        The shapes of the operands as a template (``parity.language.templates``).
    domain
        A letter for each operand, or one for all (``parity.language.domains``).
    attributes
        For each attribute its choices, the simplest first, or the name of a kind
        (``parity.language.named_kinds``), in the order in which scripts show them.
    kinks
        Where it has no derivative, in words, such as "ties"; "" if it has one everywhere.
    smooth
        Whether the derivative is that of the value almost everywhere. It is not for operations
        that jump, such as ``mode``.
    differentiable
        Whether a gradient reaches each operand; empty: all of them.
    separate
        Whether each result is computed from the operand of the same number alone, as by
        ``meshgrid``: it requires a gradient if that operand does.
    ulps
        The error of a good implementation, in units in the last place.
    result
        The shape of the result in the letters of ``operands``, needed only where ``torch`` is
        None; "": that of the operands after broadcasting.
    shape
        The shapes of the results from the shapes of the operands and the attributes: a rule
        of ``parity.language.shapes``, which raises ShapeError where the operation does
        not apply.
    choices
        The attributes that fit operands of given shapes, simplest first, in place of
        ``attributes``.
    attrs
        The kind of each attribute by its name, in place of ``attributes``.
    interval
        Between which bounds the results lie, from the bounds of the operands: a rule of
        ``parity.language.intervals``.
    interval_domain
        Whether the operation may be applied between these bounds.
    dyadic
        How it is exact on multiples of a power of two (``parity.language.dyadic``);
        None: it rounds, so that programs with it are compared with a tolerance.
    rounded
        Whether IEEE 754 fixes value and gradient, so that engines must agree in every
        bit on any numbers; or a function of the attributes that says so.
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
        ``parity.oracle.exact.rules`` says.
    vjp
        Value and gradient on the engine that the known defects are built on, as
        functions of NumPy arrays (``parity.diagnose.defects.vjps.Rule``); None: as that
        module says. Without either no defect is tried on programs with the operation.

    Examples
    --------
    Plain data suffices:

    >>> cumprod = Operation(
    ...     "cumprod", "torch.cumprod(a, dim=axis)", "+s", attributes={"axis": "AXIS"}
    ... )
    >>> cumprod.source
    'lambda a, *, axis: torch.cumprod(a, dim=axis)'
    >>> cumprod.output_shapes(((2, 3),), axis=0)
    ((2, 3),)

    With rules the generator knows more of it:

    >>> import math
    >>> cosh = Operation(
    ...     "cosh", "torch.cosh(a)", interval_domain=iv.small, saves=True, slope_ulps=4,
    ...     interval=lambda a: (1.0, math.cosh(max(abs(a[0]), abs(a[1])))),
    ... )
    >>> cosh.has_rules, cumprod.has_rules
    (True, False)
    """

    name: str
    torch: str | None = None
    operands: str = "*s"
    shape: sh.ShapeRule | None = None
    choices: sh.Choices | None = None
    attrs: Mapping[str, AttributeKind] = field(default_factory=dict)
    _: KW_ONLY
    domain: str = "R"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    kinks: str = ""
    smooth: bool = True
    differentiable: tuple[bool, ...] = ()
    separate: bool = False
    ulps: float = 4.0
    result: str = ""
    interval: iv.IntervalRule | None = None
    interval_domain: iv.Domain = iv.anywhere
    dyadic: DyadicRule | None = None
    rounded: bool | Callable[..., bool] = False
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

    def __post_init__(self) -> None:
        """Raise ValueError for a row that makes no sense; the message says what."""
        domains_of(self.domain, len(self.template.operands))
        self.template.check_result(self.result)
        for name, choices in self.attributes.items():
            if isinstance(choices, str) and choices not in KINDS:
                raise ValueError(f"there is no kind {choices!r} of attributes: {', '.join(KINDS)}")
            if not (isinstance(choices, (str, tuple, list)) and choices):
                raise ValueError(f"the attribute {name!r} has no choices")
            if name in (*OPERANDS, "xs"):
                raise ValueError(f"the attribute {name!r} has the name of an operand")
        if self.differentiable and len(self.differentiable) != self.arity:
            raise ValueError(f"differentiable says {len(self.differentiable)} of the operands")
        if not 0 < self.ulps < math.inf:
            raise ValueError(f"an error of {self.ulps} units in the last place")

    @functools.cached_property
    def function(self) -> Callable[..., Any]:
        """PyTorch's function, compiled from the row's expression."""
        return compiled(self.source)

    def is_rounded(self, attrs: Attrs) -> bool:
        """Whether IEEE 754 fixes value and gradient with these attributes."""
        return self.rounded(**dict(attrs)) if callable(self.rounded) else self.rounded

    def behind(self, result: int, operands: Sequence[T]) -> Sequence[T]:
        """Return those of the operands from which a gradient of a result goes on."""
        if self.separate:
            return operands[result : result + 1]
        if not self.differentiable:
            return operands
        return [x for x, on in zip(operands, self.differentiable, strict=True) if on]

    @property
    def source(self) -> str:
        """PyTorch's function as the text of a lambda."""
        return self.as_lambda(spelled_out(self.torch or "None"))

    def as_lambda(self, expression: str) -> str:
        """Return an expression over the operands and attributes as the text of a lambda."""
        parameters = list(OPERANDS[: self.arity]) if self.arity else ["*xs"]
        keywords = (["*"] if self.kinds and self.arity else []) + list(self.kinds)
        return f"lambda {', '.join(parameters + keywords)}: {expression}"

    @property
    def template(self) -> Template:
        """The shapes of the operands."""
        return Template.of(self.operands)

    @property
    def arity(self) -> int:
        """The number of operands; 0: any number, at least one."""
        return self.template.arity

    @property
    def has_rules(self) -> bool:
        """Whether rules say what the results are; if not, PyTorch runs to find out."""
        return self.interval is not None

    @functools.cached_property
    def kinds(self) -> Mapping[str, AttributeKind]:
        """The kind of each attribute by its name, in the order in which scripts show them."""
        return self.attrs or kinds_of(self.attributes)

    def domains(self, operands: int) -> tuple[Domain, ...]:
        """Return the domain of each of so many operands."""
        return domains_of(self.domain, operands)

    def output_shapes(self, shapes: tuple[Shape, ...], **attrs: Any) -> tuple[Shape, ...]:
        """Return the shapes of the results. Raises ShapeError if the operation does not apply."""
        if self.shape is not None:
            return self.shape(*shapes, **attrs)
        if not self.template.matches(shapes):
            raise sh.ShapeError(f"{self.name} of shapes {shapes}, and it takes {self.operands!r}")
        if self.torch is None:
            return (self.template.shape_of(self.result, shapes),)
        passed = {name: self.kinds[name].to_python(value) for name, value in attrs.items()}
        return measured_shapes(self.function, self.domains(len(shapes)), shapes, passed)

    def attribute_choices(self, shapes: tuple[Shape, ...]) -> list[dict[str, Any]]:
        """Return the attributes that fit operands of these shapes, simplest first."""
        if self.choices is not None:
            return self.choices(*shapes)
        return combinations_of(self.attributes, shapes)
