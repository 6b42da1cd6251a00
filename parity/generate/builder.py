"""Builds a valid program step by step; whatever does not fit is left out.

It tracks what validity needs: shapes and dtypes, the intervals in which values lie (to
stay in the domains of functions), which part of the graph a backward runs (to retain
what a later one needs) and which leaves have a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from parity.engines.quirks.gradients import SeedsAnyShapeWithOnes
from parity.generate import endings
from parity.generate.actual_values import ActualValues
from parity.generate.layouts import laid_out
from parity.generate.pools import gradient_values, leaf_values
from parity.generate.special_values import pools_of
from parity.language import program as pr
from parity.language.intervals import LIMIT, Interval
from parity.language.layouts import LAYOUTS
from parity.language.operation import Operation
from parity.language.restrictions import ANYTHING, Restrictions
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import (
    OPS,
    InferredOperation,
    attribute_choices,
    infer_operation,
    output_shapes,
    result_dtype,
)

#: Layouts of leaves by three bits, where a profile asks for them.
SOME_LAYOUTS = ("C", "C", "C", "F", "strided", "reversed", "broadcast", "read-only")
#: The quirk with which a backward from any shape needs no gradient.
SEEDS = SeedsAnyShapeWithOnes.quirk

UNKNOWN: Interval = (-LIMIT, LIMIT)
#: In exact programs values stay small, so that gradients stay exact as well.
_EXACT_LIMIT = 2.0**12
#: Sums of many elements are larger, in programs of few operations.
_EXACT_TOTAL = 2.0**20
#: The bit of an operand byte that asks for three operands where there may be any number.
_THREE = 64
#: Bits of a byte: if the first two are set, a recorded backward comes after another one, which is
#: recorded as well if the last is set.
_TWICE, _RECORDED_TWICE = 48, 64
#: The bit with which the third order follows, where a profile has it.
_THIRD = 4


@dataclass(eq=False)
class Builder:
    """A program under construction."""

    abilities: frozenset[str]
    ops: frozenset[str]
    max_size: int
    max_ndim: int
    exact: bool
    wild: bool
    #: The values themselves, where operations without rules are applied.
    actual: ActualValues | None = None
    #: Which special values leaves have (``Profile.special``); the domains of operations then bind
    #: nothing.
    special: str = ""
    #: The shapes and attributes that the engine takes.
    restrictions: Restrictions = ANYTHING
    #: Whether arrays of many elements are patterns.
    patterns: bool = False
    leaves: list[pr.Leaf] = field(default_factory=list)
    statements: list[pr.Statement] = field(default_factory=list)
    infos: list[pr.Info] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    #: For each value the statements behind it, as bits, and the leaves.
    graph: list[int] = field(default_factory=list)
    reach: list[int] = field(default_factory=list)
    #: For outputs of one operation the next of them.
    siblings: dict[int, int] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    #: The leaves with a gradient, and those whose gradient was recorded by the last pass, as bits.
    have_grad: int = 0
    fresh: int = 0
    #: The statements behind recorded gradients, as bits.
    recorded: int = 0
    gradient_passed: bool = False
    #: Statement and the statements it runs.
    backwards: list[tuple[int, int]] = field(default_factory=list)
    #: The modes of open blocks, and the statements through which no backward may run any more.
    modes: list[str] = field(default_factory=list)
    stale: int = 0

    #: What is not read as soon as it is there, and whether values are read at the end.
    unread: str = ""
    reads_at_end: bool = False
    #: The layouts of arrays that the program is given, by three bits.
    layouts: tuple[str, ...] = ("C",) * 8
    #: Whether values are dropped around recorded backwards, and a third order may follow.
    recorded_lives: bool = False
    #: The values of hooks that are there by number, and how many hooks there were.
    hooked: dict[int, int] = field(default_factory=dict)
    hooks: int = 0
    #: Whether gradients of computed values are kept.
    retains: bool = False

    @property
    def quiet(self) -> bool:
        """Whether the innermost open block does not record."""
        return bool(self.modes) and self.modes[-1] == "no_grad"

    def leaf(
        self,
        shape: Shape,
        dtype: str,
        start: int,
        flags: int,
        requires_grad: bool,
        layout: str = "C",
    ) -> None:
        """A leaf with values from a pool, from position ``start`` on in steps."""
        values = leaf_values(
            *(size(shape), start, flags, self.exact),
            pools=pools_of(self.special, dtype) if self.special else (),
            wild=self.wild,
            patterns=self.patterns,
        )
        leaf = pr.Leaf(shape, values, dtype, requires_grad)
        if layout != "C":
            leaf = laid_out(leaf, layout)
        if flags % 16 == 6 and self.leaves:  # equal values in distinct leaves
            leaf = replace(self.leaves[0], requires_grad=requires_grad)
        self.add_leaf(leaf)

    def add_leaf(self, leaf: pr.Leaf) -> None:
        """Add a leaf; those of a program come before its statements."""
        if self.actual is not None:
            self.actual.add_leaf(leaf)
        self.reach.append(1 << len(self.leaves) if leaf.requires_grad else 0)
        self.leaves.append(leaf)
        self.infos.append(leaf.info())
        numbers = leaf.distinct() or (1.0,)
        self.intervals.append((min(numbers), max(numbers)))
        self.graph.append(0)

    def program(self) -> pr.Program:
        """The program, with ``retain_graph`` wherever a later backward needs it."""
        later = 0
        for number, ran in reversed(self.backwards):
            statement = self.statements[number]
            assert isinstance(statement, (pr.Backward, pr.Pass))
            if ran & later and not statement.retain_graph:
                self.statements[number] = replace(statement, retain_graph=True)
            later |= ran
        return pr.Program(tuple(self.leaves), tuple(self.statements), self.unread)

    def apply(
        self, op: Operation, left: int, right: int, b: int, extra: int, no_grad: bool = False
    ) -> int | None:
        """Apply an operation if some operands and attributes fit; the value it gives."""
        if op.arity == 1:
            return self.apply_as(op, (left,), extra, b, no_grad)
        if self.exact and op.dyadic is None:
            return None
        # Where the second does not fit, other operands, the newest first, at last the same twice.
        newest = len(self.infos) - 1
        for other in (right, *range(newest, max(-1, newest - 4), -1), left):
            value = self._combine(op, left, other, b, extra, no_grad)
            if value is not None:
                return value
        return None

    def _combine(
        self, op: Operation, left: int, right: int, b: int, extra: int, no_grad: bool
    ) -> int | None:
        """Apply an operation of several operands, in one order or the other."""
        inputs: tuple[int, ...] = (right, left) if extra % 4 == 3 else (left, right)
        if op.arity > 2 or (not op.arity and b & _THREE):
            # A third operand: any value or, where that does not fit, the first leaf.
            for third in ((b >> 2) % len(self.infos), 0):
                value = self.apply_as(op, (*inputs, third), extra >> 2, b, no_grad)
                if value is not None:
                    return value
        return None if op.arity > 2 else self.apply_as(op, inputs, extra >> 2, b, no_grad)

    def leaf_apart(self, value: int, otherwise: int) -> int:
        """A leaf on which ``value`` does not depend."""
        for i, leaf in enumerate(self.leaves):
            if leaf.requires_grad and not self.reach[value] >> i & 1:
                return i
        return otherwise

    def apply_as(
        self, op: Operation, inputs: tuple[int, ...], extra: int, b: int, no_grad: bool = False
    ) -> int | None:
        """Apply an operation to these operands if attributes fit; the value it gives."""
        if (self.exact and op.dyadic is None) or not self.dropped.isdisjoint(inputs):
            return None
        infos = [self.infos[i] for i in inputs]
        shapes = tuple([info.shape for info in infos])
        if self.patterns and extra % 3 == 0 and "keepdims" in op.kinds:
            extra = 0  # all elements at once
        inferred = self.inferred(op.name, shapes, extra)
        # Small enough, and flat enough for the engine.
        if inferred is None or inferred.size > self.max_size or inferred.ndim > self.max_ndim:
            return None
        dtype = result_dtype(op.name, [info.dtype for info in infos], shapes)
        if dtype is None or (self.exact and not inferred.exact):
            return None
        interval = UNKNOWN if self.special else self._interval(inferred, inputs)
        if interval is None:
            return None
        apply = pr.Apply(op.name, inputs, inferred.attrs, no_grad)
        return self.define(apply, apply.infos_of(infos, inferred.outputs, dtype), interval, b)

    def _interval(self, inferred: InferredOperation, inputs: tuple[int, ...]) -> Interval | None:
        """The bounds of the results; None outside the domain, and where numbers are too large."""
        interval = inferred.interval([self.intervals[i] for i in inputs])
        limit = LIMIT if not self.exact else _EXACT_TOTAL if self.patterns else _EXACT_LIMIT
        if interval is None or not (-limit <= interval[0] and interval[1] <= limit):
            return None
        return interval

    def inferred(
        self, name: str, shapes: tuple[Shape, ...], number: int
    ) -> InferredOperation | None:
        """The operation with attributes number ``number``, or the next ones that the engine has."""
        if not self.restrictions:
            return infer_operation(name, shapes, number)
        allowed = (
            number + k
            for k, attrs in enumerate(_from(attribute_choices(name, shapes), number))
            if self.restrictions.allow(name, attrs)
        )
        several = (infer_operation(name, shapes, n) for n in allowed)
        fits = (one for one in several if one and self.restrictions.have(*one.outputs))
        return next(fits, None)

    def apply_to(self, op: Operation, inputs: tuple[int, ...], attrs: Attrs) -> int | None:
        """Apply an operation without rules, if its operands lie in its domain; its last result."""
        if self.actual is None or not self.dropped.isdisjoint(inputs):
            return None
        infos = [self.infos[i] for i in inputs]
        shapes = tuple([info.shape for info in infos])
        outputs = output_shapes(op.name, shapes, attrs)
        dtype = result_dtype(op.name, [info.dtype for info in infos], shapes)
        if outputs is None or dtype is None or max(map(len, outputs)) > self.max_ndim:
            return None
        if not (self.restrictions.have(*outputs) and self.restrictions.allow(op.name, attrs)):
            return None
        interval = self.actual.interval(op, inputs, attrs)
        if interval is None or max(-interval[0], interval[1]) > LIMIT:
            return None
        apply = pr.Apply(op.name, inputs, attrs)
        return self.define(apply, apply.infos_of(infos, outputs, dtype), interval, len(outputs) - 1)

    def define(
        self, statement: pr.Statement, infos: list[pr.Info], interval: Interval, b: int = 0
    ) -> int:
        """Append a statement that defines values; one of them, chosen by ``b``."""
        if self.quiet and statement.is_recorded:
            infos = [pr.info_of(info.shape, info.dtype, False) for info in infos]
        first, count = len(self.infos), len(infos)
        for k, info in enumerate(infos):
            graph = reach = 0
            if info.requires_grad is not False:
                graph = 1 << len(self.statements)
                for i in statement.behind(k):
                    graph |= self.graph[i]
                    reach |= self.reach[i]
            self.graph.append(graph)
            self.reach.append(reach)
        if self.actual is not None:
            self.actual.add(statement, count)
        self.infos += infos
        self.intervals += [interval] * count
        if count > 1:
            self.siblings.update({first + k: first + (k + 1) % count for k in range(count)})
        self.statements.append(statement)
        return first + b % count

    # Events: each takes a value and two bytes, and returns the value it gives, if any.

    def join(self, value: int, b: int, extra: int) -> int | None:
        """Two outputs of the newest operation with several, put together or one by one."""
        last = next(reversed(self.siblings), None)
        if last is None or last in self.dropped or self.siblings[last] in self.dropped:
            return None
        other = self.siblings[last]
        names = [name for name in ("add", "mul", "concat") if name in self.ops]
        for k in range(len(names)):
            joined = self.apply_as(OPS[names[(extra + k) % len(names)]], (other, last), b, b, False)
            if joined is not None:
                return joined
        return other

    def read(self, value: int, b: int, extra: int) -> None:
        """Read a value, if the program does not read all of them anyway."""
        if self.unread and value not in self.dropped:
            self.statements.append(pr.Read(value))

    def apply_one(self, op: Operation, inputs: tuple[int, ...]) -> int | None:
        """Apply an operation with its simplest attributes, if it fits."""
        return self.apply_as(op, inputs, 0, 0, False)

    def detach(self, value: int, b: int, extra: int) -> int | None:
        if value in self.dropped:
            return None
        statement = pr.Detach(value)
        results = statement.outputs(self.infos)
        return self.define(statement, results, self.intervals[value])

    def drop(self, value: int, b: int, extra: int) -> None:
        if value >= len(self.leaves) and value not in self.dropped:
            self.dropped.add(value)
            self.statements.append(pr.Drop(value))

    def backward(self, value: int, b: int, extra: int) -> None:
        """Run backward from ``value``, or again from the root of the last backward."""
        cleared = bool(self.statements) and isinstance(self.statements[-1], pr.Clear)
        if b % (2 if cleared else 4) == 1:
            value = self._last_root(value)
        elif b % 4 == 2:
            value = len(self.infos) - 1
        if value in self.dropped or not self.infos[value].requires_grad:
            return
        if not self.graph[value] & self.stale:
            self._backward(value, extra, create_graph=False, retain=b % 4 == 3)

    def _last_root(self, value: int) -> int:
        """The root of the last backward, or ``value`` if there was none."""
        passes = (self.statements[number] for number, _ in reversed(self.backwards))
        roots = (s.value for s in passes if isinstance(s, pr.Backward))
        return next(roots, value)

    def _backward(self, value: int, extra: int, create_graph: bool, retain: bool = False) -> None:
        shape = self.infos[value].shape
        gradient = None
        implied = size(shape) == 1 or (SEEDS in self.abilities and extra % 4 == 1)
        if not implied or extra >= 128:
            values = gradient_values(size(shape), extra, self.exact, patterns=self.patterns)
            gradient = pr.Constant(shape, values, self.infos[value].dtype)
            if (layout := self.layouts[extra >> 3 & 7]) != "C":
                gradient = laid_out(gradient, layout)
        self.gradient_passed = gradient is not None and LAYOUTS[gradient.layout].writeable
        self.backwards.append((len(self.statements), self.graph[value]))
        self.statements.append(pr.Backward(value, gradient, retain, create_graph))
        self.have_grad |= self.reach[value]
        self.fresh = self.reach[value] if create_graph else 0
        self.recorded |= self.graph[value] if create_graph else 0

    def clear(self, value: int, b: int, extra: int) -> None:
        """Clear all leaves, or one. Often the graph of the last backward is used again then."""
        chosen = self._leaves(b)
        for i in chosen:
            self.have_grad &= ~(1 << i)
            self.fresh &= ~(1 << i)
        self.statements.append(pr.Clear(chosen))
        if extra % 4 == 1 and self.backwards:
            self.backward(self._last_root(value), 0, b)

    def zero(self, value: int, b: int, extra: int) -> None:
        if self.have_grad and self.unread != "all":
            self.statements.append(pr.Zero(self._leaves(b)))

    def change_grad(self, value: int, b: int, extra: int) -> None:
        leaf = b % len(self.leaves)
        if self.have_grad >> leaf & 1 and self.unread != "all":
            self.statements.append(pr.ChangeGrad(leaf))

    def change_gradient(self, value: int, b: int, extra: int) -> None:
        if self.gradient_passed:
            self.gradient_passed = False
            self.statements.append(pr.ChangeGradient())

    def _leaves(self, b: int) -> tuple[int, ...]:
        """All leaves, or one of them."""
        n = len(self.leaves)
        return tuple(range(n)) if b < 96 else (b % n,)

    def end(self, ending: str, second_order: bool, extra: int) -> None:
        """Append the final backward, and the ending of the profile."""
        create_graph = second_order and "grad_tensor" in self.abilities
        if create_graph and extra & _TWICE == _TWICE:  # what it records is added to what is there
            self._last_backward(extra, create_graph=bool(extra & _RECORDED_TWICE))
        self._last_backward(extra, create_graph)
        if ending:
            _ENDINGS[ending](self, extra)
        if self.fresh and self.recorded_lives:
            self._drop_all(extra)
        if self.fresh:
            self._second_order(extra)
        if self.reads_at_end:
            for value in range(len(self.leaves), len(self.infos)):
                self.read(value, 0, 0)

    def _change_all(self, extra: int) -> None:
        """Change every gradient in place."""
        if "buffer" in self.abilities:
            for leaf in range(len(self.leaves)):
                self.change_grad(0, leaf, 0)

    def _again(self, extra: int) -> None:
        """The last backward once more: gradients accumulate."""
        if self.backwards and self._last_root(0) not in self.dropped:
            self._backward(self._last_root(0), extra, create_graph=False)

    def _last_backward(self, extra: int, create_graph: bool) -> None:
        """A backward from the newest value that none has run through, if there is one."""
        ran = self.backwards[-1] if self.backwards else None
        for value in range(len(self.infos) - 1, -1, -1):
            if value in self.dropped or not self.infos[value].requires_grad:
                continue
            if self.graph[value] & self.stale:
                continue
            if create_graph or ran is None or self.graph[value] & ~ran[1]:
                self._backward(value, extra, create_graph)
            return

    def _second_order(self, extra: int) -> None:
        """Differentiate once more: a gradient times its leaf surely requires a gradient."""
        names = [name for name in ("mul", "add") if name in self.ops]
        if not names:
            return
        name = names[extra % 3 == 0 and len(names) > 1]
        for leaf in [i for i in range(len(self.leaves)) if self.fresh >> i & 1]:
            gradient = self._define_unbounded(pr.TakeGrad(leaf))
            # Its graph is at most what the recorded passes ran.
            self.graph[gradient] |= self.recorded
            self.reach[gradient] |= self.fresh
            root = self._define_unbounded(pr.Apply(name, (gradient, leaf)))
            if extra % 2:
                break
        # A recorded gradient is in use: it is cleared, or added to as a recorded one.
        clears = "clear_grad" in self.abilities
        if clears:
            self.clear(root, 0, 0)
        third = self.recorded_lives and clears and bool(extra & _THIRD)
        self._backward(root, extra, create_graph=third or not clears)
        if third:
            self.fresh = 1 << leaf  # others may have no gradient, or zeros
            self._drop_all(extra)
            self._second_order(extra & ~_THIRD)

    def _drop_all(self, extra: int) -> None:
        """Drop the computed values, or all but the newest ones: their graph is still needed."""
        kept = (0, 0, 1, len(self.infos))[extra & 3]
        for value in range(len(self.leaves), len(self.infos) - kept):
            self.drop(value, 0, 0)

    def _define_unbounded(self, statement: pr.Statement) -> int:
        return self.define(statement, statement.outputs(self.infos), UNKNOWN)


def _from(choices: tuple[Attrs, ...], number: int) -> tuple[Attrs, ...]:
    """Return the attributes from a number on, and after the last those before."""
    first = number % len(choices) if choices else 0
    return choices[first:] + choices[:first]


#: What a profile may ask for as the end of its programs.
_ENDINGS: dict[str, Callable[[Builder, int], object]] = {
    "again": Builder._again,
    "change_all": Builder._change_all,
    "change_gradient": lambda builder, extra: builder.change_gradient(0, 0, extra),
    "freed": endings.freed_graph,
    "error": endings.error,
}
