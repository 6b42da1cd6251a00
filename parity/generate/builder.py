"""Builds a valid program step by step; whatever does not fit is left out.

It tracks what validity needs: shapes and dtypes, the intervals in which values lie (to
stay in the domains of functions), which part of the graph a backward runs (to retain
what a later one needs) and which leaves have a gradient.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from parity.engines.quirks.gradients import SeedsAnyShapeWithOnes
from parity.generate.actual_values import ActualValues
from parity.language import program as pr
from parity.language.intervals import LIMIT, Interval
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

#: Dyadic numbers: sums and products of a few of them are exact, also in float32.
EXACT_VALUES = (3.0, 2.0, 1.0, -1.0, 0.5, -2.0, 4.0, 1.5, 0.0, -0.5, 2.0, -3.0, 0.25)
#: Numbers with no end in binary, of mixed sign and size.
ROUGH_VALUES = (0.7, 1.3, -0.4, 2.1, 0.1, -1.7, 3.3, 0.9, -2.6, 1e-3, 5.7, -0.05)
POSITIVE_VALUES = tuple(abs(v) for v in ROUGH_VALUES if abs(v) > 0.01)
EXACT_POSITIVE = (3.0, 2.0, 1.0, 0.5, 4.0, 1.5, 0.25)
_random = random.Random(20)
#: Arbitrary significands between 1/8 and 8: every bit counts.
WILD_POSITIVE = tuple(2.0 ** _random.uniform(-3, 3) for _ in range(251))
WILD_VALUES = tuple(v if _random.random() < 0.6 else -v for v in WILD_POSITIVE)
#: Gradients that are not uniform: ones hide whole families of faults.
GRADIENTS = (1.0, 2.0, -1.0, 3.0, 0.5, -2.0, 1.0, -3.0, 4.0)

#: The quirk with which a backward from any shape needs no gradient.
SEEDS = SeedsAnyShapeWithOnes.quirk

_UNKNOWN: Interval = (-LIMIT, LIMIT)
#: In exact programs values stay small, so that gradients stay exact as well.
_EXACT_LIMIT = 2.0**12
#: The bit of an operand byte that asks for three operands where there may be any number.
_THREE = 64
#: Bits of a byte: if the first two are set, a recorded backward comes after another one, which is
#: recorded as well if the last is set.
_TWICE, _RECORDED_TWICE = 48, 64
#: For one byte in 64 a gradient that is given is zero.
_NOTHING = 37


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
    #: The shapes and attributes that the engine takes.
    restrictions: Restrictions = ANYTHING
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

    def leaf(self, shape: Shape, dtype: str, start: int, flags: int, requires_grad: bool) -> None:
        """A leaf with values from a pool, from position ``start`` on in steps."""
        pools: tuple[tuple[float, ...], tuple[float, ...]] = (ROUGH_VALUES, POSITIVE_VALUES)
        if self.exact:
            pools = (EXACT_VALUES, EXACT_POSITIVE)
        elif self.wild:
            pools = (WILD_VALUES, WILD_POSITIVE)
        pool = pools[flags % 4 == 3]
        step = 1 + (flags >> 2) % 4
        # In one of four leaves values repeat: ties.
        places = [i % 2 if flags % 4 == 1 else i * step for i in range(size(shape))]
        values = tuple([pool[(start + i) % len(pool)] for i in places])
        leaf = pr.Leaf(shape, values, dtype, requires_grad)
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
        self.intervals.append((min(leaf.values), max(leaf.values)) if leaf.values else (1.0, 1.0))
        self.graph.append(0)

    def program(self) -> pr.Program:
        """The program, with ``retain_graph`` wherever a later backward needs it."""
        later = 0
        for number, ran in reversed(self.backwards):
            statement = self.statements[number]
            assert isinstance(statement, pr.Backward)
            if ran & later and not statement.retain_graph:
                self.statements[number] = replace(statement, retain_graph=True)
            later |= ran
        return pr.Program(tuple(self.leaves), tuple(self.statements))

    def apply(
        self, op: Operation, left: int, right: int, b: int, extra: int, no_grad: bool = False
    ) -> int | None:
        """Apply an operation if some operands and attributes fit; the value it gives."""
        if op.arity == 1:
            return self._apply(op, (left,), extra, b, no_grad)
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
                value = self._apply(op, (*inputs, third), extra >> 2, b, no_grad)
                if value is not None:
                    return value
        return None if op.arity > 2 else self._apply(op, inputs, extra >> 2, b, no_grad)

    def leaf_apart(self, value: int, otherwise: int) -> int:
        """A leaf on which ``value`` does not depend."""
        for i, leaf in enumerate(self.leaves):
            if leaf.requires_grad and not self.reach[value] >> i & 1:
                return i
        return otherwise

    def _apply(
        self, op: Operation, inputs: tuple[int, ...], extra: int, b: int, no_grad: bool
    ) -> int | None:
        if (self.exact and op.dyadic is None) or not self.dropped.isdisjoint(inputs):
            return None
        infos = [self.infos[i] for i in inputs]
        shapes = tuple([info.shape for info in infos])
        inferred = self._inferred(op.name, shapes, extra)
        # Small enough, and flat enough for the engine.
        if inferred is None or inferred.size > self.max_size or inferred.ndim > self.max_ndim:
            return None
        dtype = result_dtype(op.name, [info.dtype for info in infos], shapes)
        if dtype is None or (self.exact and not inferred.exact):
            return None
        interval = inferred.interval([self.intervals[i] for i in inputs])
        limit = _EXACT_LIMIT if self.exact else LIMIT
        if interval is None or not (-limit <= interval[0] and interval[1] <= limit):
            return None
        apply = pr.Apply(op.name, inputs, inferred.attrs, no_grad)
        return self._define(apply, apply.infos_of(infos, inferred.outputs, dtype), interval, b)

    def _inferred(
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
        return self._define(
            apply, apply.infos_of(infos, outputs, dtype), interval, len(outputs) - 1
        )

    def _define(
        self, statement: pr.Statement, infos: list[pr.Info], interval: Interval, b: int = 0
    ) -> int:
        """Append a statement that defines values; one of them, chosen by ``b``."""
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
            joined = self._apply(OPS[names[(extra + k) % len(names)]], (other, last), b, b, False)
            if joined is not None:
                return joined
        return other

    def twins(self, value: int, b: int, extra: int) -> int | None:
        """Apply one operation to two leaves of the same shape, and combine the results."""
        shapes = [leaf.shape for leaf in self.leaves]
        second = next((j for j in range(1, len(shapes)) if shapes[j] in shapes[:j]), None)
        names = sorted(name for name in self.ops if OPS[name].arity == 1)
        if second is None or not names:
            return None
        op = OPS[names[b % len(names)]]
        pair = (shapes.index(shapes[second]), second)
        left, right = (self._apply(op, (i,), extra, b, False) for i in pair)
        joins = [name for name in ("add", "mul", "sub") if name in self.ops]
        if left is None or right is None or not joins:
            return None
        return self._apply(OPS[joins[extra % len(joins)]], (left, right), 0, b, False)

    def detach(self, value: int, b: int, extra: int) -> int | None:
        if value in self.dropped:
            return None
        statement = pr.Detach(value)
        results = statement.outputs(self.infos)
        return self._define(statement, results, self.intervals[value])

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
        self._backward(value, extra, create_graph=False, retain=b % 4 == 3)

    def _last_root(self, value: int) -> int:
        """The root of the last backward, or ``value`` if there was none."""
        if not self.backwards:
            return value
        last = self.statements[self.backwards[-1][0]]
        assert isinstance(last, pr.Backward)
        return last.value

    def _backward(self, value: int, extra: int, create_graph: bool, retain: bool = False) -> None:
        shape = self.infos[value].shape
        gradient = None
        implied = size(shape) == 1 or (SEEDS in self.abilities and extra % 4 == 1)
        if not implied or extra >= 128:
            # Where rounding is allowed for, also numbers that a narrower dtype does not hold.
            pool: tuple[float, ...] = GRADIENTS if self.exact or extra % 2 else ROUGH_VALUES
            if extra % 64 == _NOTHING:
                pool = (0.0,)
            values = tuple([pool[(extra + 2 * i) % len(pool)] for i in range(size(shape))])
            gradient = pr.Constant(shape, values, self.infos[value].dtype)
        self.gradient_passed = gradient is not None
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
        if self.have_grad:
            self.statements.append(pr.Zero(self._leaves(b)))

    def change_grad(self, value: int, b: int, extra: int) -> None:
        leaf = b % len(self.leaves)
        if self.have_grad >> leaf & 1:
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
        if self.fresh:
            self._second_order(extra)

    def _change_all(self, extra: int) -> None:
        """Change every gradient in place."""
        if "buffer" in self.abilities:
            for leaf in range(len(self.leaves)):
                self.change_grad(0, leaf, 0)

    def _again(self, extra: int) -> None:
        """The last backward once more: gradients accumulate."""
        if self.backwards and self._last_root(0) not in self.dropped:
            self._backward(self._last_root(0), extra, create_graph=False)

    def _error(self, extra: int) -> None:
        """One statement more that PyTorch refuses (docs/semantics.md 1.2, 4.2, 4.4)."""
        ways = (self._freed_graph, self._wrong_shape, self._no_grad_needed)
        for k in range(len(ways)):
            if ways[(extra + k) % len(ways)](extra):
                return

    def _freed_graph(self, extra: int) -> bool:
        """A second backward through a graph that the last one freed, from its root or another."""
        if not self.backwards:
            return False
        number, ran = self.backwards[-1]
        last = self.statements[number]
        assert isinstance(last, pr.Backward)
        if last.retain_graph:
            return False
        if extra % 2 and self._from_another_root(last.value, ran):
            return True
        # The newest statement of the graph has made the value.
        newest = self.graph[last.value].bit_length() - 1
        if newest < 0 or not self._saves(newest):
            return False
        self.statements.append(last)
        return True

    def _from_another_root(self, root: int, freed: int) -> bool:
        """Run backward from a value that shares a freed part of the graph: PyTorch raises."""
        saving = (1 << number for number in range(len(self.statements)) if self._saves(number))
        noticed = sum(saving) & freed
        for value in reversed(range(len(self.leaves), len(self.infos))):
            if value not in (root, *self.dropped) and self.graph[value] & noticed:
                return self._backward_of_ones(value, self.infos[value].shape)
        return False

    def _saves(self, number: int) -> bool:
        """Whether a statement keeps something for its backward."""
        statement = self.statements[number]
        return isinstance(statement, pr.Apply) and OPS[statement.op].saves

    def _backward_of_ones(self, value: int, shape: Shape) -> bool:
        gradient = pr.Constant(shape, (1.0,) * size(shape), self.infos[value].dtype)
        self.statements.append(pr.Backward(value, gradient))
        return True

    def _wrong_shape(self, extra: int) -> bool:
        """A gradient of another shape."""
        for value in reversed(range(len(self.infos))):
            if value not in self.dropped and self.infos[value].requires_grad:
                return self._backward_of_ones(value, (*self.infos[value].shape, 2))
        return False

    def _no_grad_needed(self, extra: int) -> bool:
        """A backward from a constant."""
        for value, info in enumerate(self.infos):
            if value not in self.dropped and info.requires_grad is False and size(info.shape) == 1:
                self.statements.append(pr.Backward(value))
                return True
        return False

    def _last_backward(self, extra: int, create_graph: bool) -> None:
        """A backward from the newest value that none has run through, if there is one."""
        ran = self.backwards[-1] if self.backwards else None
        for value in range(len(self.infos) - 1, -1, -1):
            if value in self.dropped or not self.infos[value].requires_grad:
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
        self._backward(root, extra, create_graph=not clears)

    def _define_unbounded(self, statement: pr.Statement) -> int:
        return self._define(statement, statement.outputs(self.infos), _UNKNOWN)


def _from(choices: tuple[Attrs, ...], number: int) -> tuple[Attrs, ...]:
    """Return the attributes from a number on, and after the last those before."""
    first = number % len(choices) if choices else 0
    return choices[first:] + choices[:first]


#: What a profile may ask for as the end of its programs.
_ENDINGS: dict[str, Callable[[Builder, int], object]] = {
    "again": Builder._again,
    "change_all": Builder._change_all,
    "change_gradient": lambda builder, extra: builder.change_gradient(0, 0, extra),
    "freed": Builder._freed_graph,
    "error": Builder._error,
}
