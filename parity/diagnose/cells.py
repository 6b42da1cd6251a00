"""Cells: programs of one operation alone, with every choice of its attributes.

A cell applies one operation to distinct leaves and runs one backward with a gradient that is not
uniform. What it varies: attributes, shapes, values, dtypes, which operands require a gradient,
which output is the root, and whether the gradient is differentiated again. The first cells of an
operation are the simplest.
"""

from __future__ import annotations

import enum
import functools
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from parity.diagnose.conditions import conditions_of
from parity.diagnose.setting import Setting
from parity.engines.base import CONSTANTS
from parity.engines.runner import Runner
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.attributes import NUMBER, OPTIONAL_NUMBER
from parity.language.draws import Draw, draw, filled
from parity.language.dyadic import EXTREMES
from parity.language.operation import Operation
from parity.language.shapes import Attrs, Shape, elementwise, size
from parity.language.table import OPS, attribute_choices, output_shapes
from parity.oracle.finding import Finding


@dataclass(frozen=True)
class Scope:
    """What an engine declares of dtypes, dimensions, constants and second derivatives."""

    dtypes: tuple[str, ...] = ("float64", "float32")
    max_ndim: int | None = None
    constants: bool = True
    second_order: bool = True

    @staticmethod
    def of(engine: Runner) -> Scope:
        dtypes = tuple(d for d in ("float64", "float32") if d in engine.dtypes)
        second = {"grad_tensor", "clear_grad"} <= engine.abilities
        return Scope(dtypes, engine.max_ndim, CONSTANTS in engine.abilities, second)


@dataclass(frozen=True)
class Cell:
    """An operation with attributes, and the program that applies it alone."""

    op: str
    attrs: Attrs
    program: pr.Program

    @functools.cached_property
    def conditions(self) -> frozenset[str]:
        """The names of the conditions that hold (``parity.diagnose.conditions``)."""
        return conditions_of(Setting.of(self.op, self.attrs, self.program))


#: Draws of numbers for an operation without rules, and the most dimensions they have.
DRAWN, MOST_DIMENSIONS = 32, 8
#: What the second and third draw have in place of other numbers, as far as the domain of an operand
#: allows: zeros alone, and ties, also between operands. A wrong rule for these is seldom drawn.
SPECIAL = (((0.0,),), ((0.5, 0.75, 0.5, 0.5), (2.0, 1.5, 2.0, 2.0)))
#: Kinds of attributes that fit operands of any shapes.
NUMBERS = (NUMBER, OPTIONAL_NUMBER)
#: Shapes of operands by their number. The first are those on which values are varied.
SHAPES: dict[int, tuple[tuple[Shape, ...], ...]] = {
    1: tuple((s,) for s in ((3,), (2, 2), (), (2, 3), (1,), (2, 1, 3), (0,), (0, 2), (1, 2))),
    2: (
        *(((2,), (2,)), ((2, 3), (3,)), ((3,), (2, 3)), ((), ()), ((2,), ()), ((), (2,))),
        *(((2, 2), (2, 2)), ((2, 3), (2, 3)), ((2, 3), ()), ((2, 1), (1, 3)), ((1, 3), (2, 1))),
        *(((2, 3), (2, 1)), ((2, 1), (2, 3)), ((1,), (3,)), ((3,), (1,)), ((1,), (1,))),
        *(((2, 2, 2), (2,)), ((2,), (2, 2, 2)), ((2, 1, 3), (2, 1)), ((0,), (0,)), ((0,), ())),
        *(((2, 3), (3, 2)), ((1, 2), (2, 1)), ((2, 2), (2,)), ((2,), (2, 2)), ((2,), (3,))),
        *(((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 1, 3), (2, 3, 2)), ((3,), (3,))),
        *(((2, 3), (4, 3)), ((3, 2), (3, 2)), ((2, 0), (0, 2)), ((2, 2, 3), (3,))),
    ),
    3: (
        *(((2, 3), (3, 2), (2,)), ((2, 3), (3, 2), (2, 2)), ((2, 3), (3, 2), ())),
        *(
            ((3,), (3, 2), (2,)),
            ((3,), (3,), ()),
            ((1, 2), (2, 1), (1,)),
            ((2, 2, 3), (3, 2), (2,)),
        ),
        *(((2, 3), (3, 2), (2, 1)), ((2, 2), (2, 2), (2,))),
    ),
}
#: Of operations with any number of operands.
JOINED: tuple[tuple[Shape, ...], ...] = (
    *(((2,), (2,)), ((2, 3), (2, 3)), ((2,), (3,)), ((2,),), ((2,), (2,), (2,)), ((), ())),
    *(((2, 2), (1, 2)), ((2, 2), (2, 1)), ((0,), (2,)), ((2, 1, 3), (2, 1, 3)), ((2,), (1,), (3,))),
)

#: Values of a first operand and, for each, of the other ones; they are repeated as needed.
Values = tuple[tuple[float, ...], ...]
PLAIN: Values = ((3.0, 2.0, 4.0, 5.0, 7.0, 6.0), (2.0, 5.0, 3.0, 7.0, 4.0), (1.0, 3.0, 2.0))
PATTERNS: tuple[Values, ...] = (
    ((3.0, -2.0, 4.0, -1.0, 5.0, -6.0), (-2.0, 4.0, -3.0, 1.0, 5.0), (1.0, -3.0, 2.0)),
    ((-2.0, -3.0, -1.0, -4.0, -6.0, -5.0), (-3.0, -1.0, -2.0), (-1.0, -2.0)),
    ((-2.0, -3.0, -1.0, -4.0, -6.0, -5.0), (3.0, 2.0, 4.0, 5.0), (1.0, 2.0)),
    ((3.0, 2.0, 4.0, 5.0, 7.0, 6.0), (-3.0, -1.0, -2.0), (-1.0, -2.0)),
    # Larger and smaller than the other operand, equal to it, and ties.
    ((7.0, 8.0, 6.0, 9.0), (3.0, 2.0, 4.0, 5.0), (1.0, 2.0)),
    ((3.0, 2.0, 4.0, 5.0), (7.0, 8.0, 6.0, 9.0), (1.0, 2.0)),
    ((3.0,), (3.0,), (3.0,)),
    ((3.0, 2.0, 3.0), (3.0, 2.0, 5.0), (3.0,)),
    ((2.0, 3.0, 2.0), (2.0, 4.0, 2.0), (2.0,)),
    # Zeros, and numbers between -1 and 1.
    ((0.0,), (0.0,), (0.0,)),
    ((0.0, 3.0, -2.0), (2.0, 3.0, -1.0), (1.0,)),
    ((2.0, 3.0, -1.0), (0.0, 3.0, -2.0), (1.0,)),
    ((2.0, 0.0, 0.0, 3.0), (2.0, 0.0, 5.0, 0.0), (0.0,)),
    ((0.5, 0.25, 0.75, 0.125), (0.25, 0.5, 2.0), (0.5,)),
    ((1.0,), (1.0,), (1.0,)),
)
ONE_OPERAND = (*PATTERNS[:2], *PATTERNS[7:11], *PATTERNS[13:])
#: Three ties and more, on more elements than other values need.
TIES: tuple[Values, ...] = tuple(((v, w, v, v), (v,), (v,)) for v, w in ((3.0, 2.0), (2.0, 3.0)))
#: Gradients that are passed to backward.
GRADIENT = (2.0, 1.0, -1.0, 3.0, 0.5, 4.0, -2.0)


@functools.lru_cache(maxsize=1024)
def cells_of(name: str, scope: Scope, most: int | None = None) -> tuple[Cell, ...]:
    """Return the first cells of an operation for an engine of this scope, each program once."""
    cells = itertools.islice(_Cells(OPS[name], scope).all(), most)
    return tuple({cell.program: cell for cell in cells}.values())


@dataclass(frozen=True)
class _Operands:
    """How the leaves of a cell are made: shapes, values and what is special about them."""

    shapes: tuple[Shape, ...]
    attrs: Attrs
    values: Values = PLAIN
    dtypes: tuple[str, ...] = ()
    constant: frozenset[int] = field(default=frozenset())

    def leaves(self, dtype: str) -> tuple[pr.Leaf, ...]:
        dtypes = self.dtypes or (dtype,) * len(self.shapes)
        return tuple(
            pr.Leaf(
                shape,
                _cycled(self.values[min(i, len(self.values) - 1)], size(shape), 3 * (i > 2)),
                dtypes[i],
                i not in self.constant,
            )
            for i, shape in enumerate(self.shapes)
        )


def _cycled(values: Sequence[float], count: int, start: int = 0) -> tuple[float, ...]:
    return tuple(itertools.islice(itertools.cycle(values), start, start + count))


class _Cells:
    """The cells of one operation."""

    def __init__(self, op: Operation, scope: Scope) -> None:
        self.op, self.scope = op, scope
        self.settings = list(self._settings()) if op.has_rules else []

    def _settings(self) -> Iterator[_Operands]:
        """Yield all shapes with all attributes that fit them."""
        limit = self.scope.max_ndim
        for shapes in SHAPES.get(self.op.arity, JOINED):
            for attrs in dict.fromkeys((*_choices(self.op.name, shapes), *_more(self.op, shapes))):
                outputs = output_shapes(self.op.name, shapes, attrs)
                if outputs is None:
                    continue
                if limit is None or all(len(s) <= limit for s in (*shapes, *outputs)):
                    yield _Operands(shapes, attrs)

    def all(self) -> Iterator[Cell]:
        if not self.op.has_rules:
            yield from self._drawn()
            return
        for operands in self._swept():
            yield from self.cells(operands)
        shapes, attrs, patterns = self._varied()
        for operands in self.few(shapes, attrs):
            for values in (*self.kinks(operands.attrs), *patterns):
                yield from self.cells(replace(operands, values=values))
        yield from self.of_dtypes()
        if self.scope.constants and self.op.arity != 1:
            for operands in self.few(2, 2):
                for i in range(len(operands.shapes)) if len(operands.shapes) > 1 else ():
                    yield from self.cells(replace(operands, constant=frozenset({i})))
        if self.scope.second_order:
            for operands in self.few(2, 2):
                for values in (PLAIN, PATTERNS[0])[: 1 + self.op.saves]:
                    yield from self.cells(replace(operands, values=values), second=True)

    def _drawn(self) -> Iterator[Cell]:
        """Yield cells on numbers of the domain, for an operation without rules."""
        draws = []
        for number, drawn in enumerate(self._draws()):
            draws.append(drawn)
            yield from self.applied(drawn.leaves, drawn.attrs, plain=number < 2)
        for number, drawn in enumerate(draws):
            if self.scope.second_order and number % 4 == 0:
                yield from self.applied(drawn.leaves, drawn.attrs, second=True)
            wanting = [i for i, leaf in enumerate(drawn.leaves) if leaf.requires_grad]
            if self.scope.constants and len(wanting) > 1:
                i = wanting[number % len(wanting)]
                constant = replace(drawn.leaves[i], requires_grad=False)
                leaves = (*drawn.leaves[:i], constant, *drawn.leaves[i + 1 :])
                yield from self.applied(leaves, drawn.attrs)

    def _draws(self) -> Iterator[Draw]:
        dtypes = self.scope.dtypes or ("float64",)
        limit = MOST_DIMENSIONS if self.scope.max_ndim is None else self.scope.max_ndim
        special: tuple[tuple[tuple[float, ...], ...], ...] = SPECIAL
        for number in range(DRAWN):
            source = random.Random(f"{self.op.name} {number}")
            dtype = dtypes[number % 8 == 7 and len(dtypes) > 1]
            drawn = draw(self.op, source, number % 2 == 1, dtype, limit)
            if drawn is not None and self._is_flat(drawn.shapes, drawn.attrs):
                yield drawn
                if special:
                    yield from filter(None, (filled(drawn, *patterns) for patterns in special))
                    special = ()

    def _is_flat(self, shapes: tuple[Shape, ...], attrs: Attrs) -> bool:
        """Return whether an engine with this limit of dimensions has the results."""
        limit = self.scope.max_ndim
        outputs = output_shapes(self.op.name, shapes, attrs) or ()
        return limit is None or all(len(shape) <= limit for shape in outputs)

    def _swept(self) -> Iterator[_Operands]:
        """Yield settings with usual values: all attributes, where they depend on the shape."""
        if all(kind in NUMBERS for kind in self.op.kinds.values()):
            yield from (*self.few(1, 9), *self.few(99, 1))
            return
        many, square = (8, 16) if {"keepdims", "axes", "index"} & self.op.kinds.keys() else (5, 5)
        for operands in self.few(99, many):
            if max(map(len, operands.shapes)) > 1 and (2, 2) not in operands.shapes:
                yield operands
        yield from (*self.few(1, 32), *self.few(2, square), *self.few(99, 1))

    def _varied(self) -> tuple[int, int, tuple[Values, ...]]:
        """Return on how many shapes, with how many attributes each, which values are tried."""
        if not self.op.saves and "keepdims" not in self.op.kinds:  # linear in each operand
            return 1, 2, PATTERNS[:5] + PATTERNS[9:10]
        if "keepdims" in self.op.kinds:
            ties = PATTERNS[6:9] + TIES if self.op.dyadic is EXTREMES else ()
            return 2, 2 if ties else 1, PATTERNS[:2] + ties + PATTERNS[9:11]
        if self.op.arity == 1:
            attrs = 9 if "exponent" in self.op.kinds else 2
            return 1, attrs, ONE_OPERAND
        return (2, 1, PATTERNS) if self.op.shape is elementwise else (1, 1, PATTERNS[:11])

    def of_dtypes(self) -> Iterator[Cell]:
        one, *others = self.scope.dtypes or ("float64",)
        for dtype in others:
            for operands in self.few(3, 2):
                n = len(operands.shapes)
                yield from self.cells(replace(operands, dtypes=(dtype,) * n))
            for operands in self.few(3, 1) if self.op.arity != 1 else ():
                n = len(operands.shapes)
                for dtypes in ((one, *(dtype,) * (n - 1)), (dtype, *(one,) * (n - 1))):
                    yield from self.cells(replace(operands, dtypes=dtypes))

    def few(self, shapes: int, attrs: int) -> list[_Operands]:
        """Return settings with the first shapes, and for each so many attributes."""
        of_shapes: dict[Any, list[_Operands]] = {}
        for operands in self.settings:
            of_shapes.setdefault(operands.shapes, []).append(operands)
        chosen = []
        for some in list(of_shapes.values())[:shapes]:
            step = max(1, -(-len(some) // attrs))
            chosen += some[::step]
        return chosen

    def kinks(self, attrs: Attrs) -> Iterator[Values]:
        """Yield values at the numbers among the attributes: bounds of ``clip``."""
        bounds = [float(v) for _, v in attrs if isinstance(v, float)]
        if bounds:
            yield ((*bounds, 3.0, -2.0), (*bounds, 3.0))
            yield (tuple(bounds), tuple(bounds))

    def cells(self, operands: _Operands, second: bool = False) -> Iterator[Cell]:
        leaves = operands.leaves((self.scope.dtypes or ("float64",))[0])
        if self._in_domain(leaves, operands.attrs):
            plain = operands.values is PLAIN
            yield from self.applied(leaves, operands.attrs, plain=plain, second=second)

    def applied(
        self,
        leaves: tuple[pr.Leaf, ...],
        attrs: Attrs,
        *,
        plain: bool = False,
        second: bool = False,
    ) -> Iterator[Cell]:
        """Yield the cells of the operation on these leaves; ``plain``: several gradients."""
        apply = pr.Apply(self.op.name, tuple(range(len(leaves))), attrs)
        try:
            outputs = apply.results([leaf.info() for leaf in leaves])
        except pr.ProgramError:  # dtypes that are not compared
            return
        for number, info in enumerate(outputs, len(leaves)):
            gradient = pr.Constant(info.shape, _cycled(GRADIENT, size(info.shape)), info.dtype)
            if second:
                yield from self._second(leaves, apply, number, gradient, len(outputs))
                continue
            for g in self._seeds(gradient, plain):
                statements = (apply, pr.Backward(number, g))
                yield Cell(apply.op, apply.attrs, pr.Program(leaves, statements))

    @staticmethod
    def _seeds(gradient: pr.Constant, plain: bool) -> tuple[pr.Constant | None, ...]:
        """Return the gradients that are passed; None, the usual one, from 0-d results."""
        if gradient.shape:
            return (gradient,)
        return (None, gradient) if plain else (None,)

    @staticmethod
    def _second(
        leaves: tuple[pr.Leaf, ...], apply: pr.Apply, root: int, gradient: pr.Constant, outputs: int
    ) -> Iterator[Cell]:
        every = tuple(range(len(leaves)))
        for leaf in every:
            shape = leaves[leaf].shape
            g = pr.Constant(shape, _cycled(GRADIENT, size(shape)), leaves[leaf].dtype)
            statements = (
                apply,
                pr.Backward(root, gradient, create_graph=True),
                pr.TakeGrad(leaf),
                pr.Clear(every),
                pr.Backward(len(leaves) + outputs, g),
            )
            yield Cell(apply.op, apply.attrs, pr.Program(leaves, statements))

    def _in_domain(self, leaves: tuple[pr.Leaf, ...], attrs: Attrs) -> bool:
        bounds = [(min(leaf.values, default=1.0), max(leaf.values, default=1.0)) for leaf in leaves]
        return self.op.interval_domain(*bounds, **dict(attrs))


def _choices(name: str, shapes: tuple[Shape, ...]) -> tuple[Attrs, ...]:
    try:
        return attribute_choices(name, shapes)
    except (ValueError, IndexError):  # shapes that the operation does not have
        return ()


def _more(op: Operation, shapes: tuple[Shape, ...]) -> Iterator[Attrs]:
    """Yield attributes beyond those that are drawn: axes counted from the back, in tuples."""
    ndim = len(shapes[0])
    kinds = {name for name, kind in op.kinds.items()}
    if "keepdims" in kinds and ndim:
        rest: dict[str, Any] = {"correction": 0} if "correction" in kinds else {}
        axes = ((0,), (-1,), tuple(range(-ndim, 0)))
        for axis, keep in itertools.product(axes, (False, True)):
            yield tuple(sorted({"axis": axis, "keepdims": keep, **rest}.items()))
    if "index" in kinds and ndim:  # x[1], x[:1]
        for index in (0, -1, ("slice", 0, 1, None), ("slice", 1, None, None)):
            yield (("index", index),)
    if "axes" in kinds and ndim:
        for order in itertools.permutations(range(ndim)):
            yield (("axes", tuple(i - ndim for i in order)),)


class Outcome(enum.StrEnum):
    """What an engine does in a cell."""

    RIGHT = "right"
    WRONG = "wrong"
    RAISES = "raises"
    #: The engine says that it lacks this.
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, eq=False)
class CellResult:
    """A cell with the run of the engine and what differs from the reference there."""

    cell: Cell
    trace: Trace | None
    finding: Finding | None
    outcome: Outcome

    @property
    def fails(self) -> bool:
        return self.outcome in (Outcome.WRONG, Outcome.RAISES)
