"""Faults of single operations, for engines that are wrong on purpose (``parity score --combined``).

A fault is a kind, applied to any operation of the engine that defects are built on, under a
condition on its operands and attributes: "gradient doubled" of ``sum`` "with a negative axis".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from parity.diagnose.causes import Category
from parity.diagnose.defects.tensor import Tensor, raw
from parity.diagnose.defects.vjps import RULES, Rule, do, kept
from parity.language import shapes as sh
from parity.language.operation import Operation
from parity.language.table import OPS

#: The operands, as arrays, and the attributes of a call.
Call: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
Applies: TypeAlias = Callable[[Operation], bool]
#: Returns the wrong rule: of the right one, and a function that says whether it is wrong in a call.
Effect: TypeAlias = Callable[[Rule, Callable[..., bool]], Rule]


# Operations.


def _any(op: Operation) -> bool:
    return True


def _of_one(op: Operation) -> bool:
    return op.arity == 1


def _of_two(op: Operation) -> bool:
    return op.arity == 2


def _has(*names: str) -> Applies:
    return lambda op: any(name in op.kinds for name in names)


def _elementwise(op: Operation) -> bool:
    return op.shape is sh.elementwise


def _both(one: Applies, other: Applies) -> Applies:
    return lambda op: one(op) and other(op)


# Conditions.


@dataclass(frozen=True)
class Condition:
    """When an operation is wrong."""

    says: str
    holds: Callable[..., bool]
    applies: Applies = _any


def _negative_axis(*xs: Any, **attrs: Any) -> bool:
    axes = attrs["axis"] if "axis" in attrs else attrs["axes"]
    return axes is not None and bool((np.atleast_1d(axes) < 0).any())


def _broadcast(*xs: Any, **attrs: Any) -> bool:
    return len({x.shape for x in xs}) > 1


def _square(*xs: Any, **attrs: Any) -> bool:
    shape = xs[0].shape
    return len(shape) == 2 and shape[0] == shape[1] > 1


ALWAYS = Condition("", lambda *xs, **attrs: True)
ZERO_DIM = Condition("of 0-d operands", lambda *xs, **attrs: all(x.ndim == 0 for x in xs), _any)
FLOAT32 = Condition("in float32", lambda *xs, **attrs: all(x.dtype == np.float32 for x in xs))
EMPTY = Condition("without elements", lambda *xs, **attrs: any(x.size == 0 for x in xs))
NEGATIVE_AXIS = Condition("with a negative axis", _negative_axis, _has("axis", "axes"))
NO_AXIS = Condition(
    "with axis=None", lambda *xs, **attrs: attrs["axis"] is None, _has("axis", "keepdims")
)
KEEPDIMS = Condition("with keepdims", lambda *xs, **attrs: attrs["keepdims"], _has("keepdims"))
BROADCAST = Condition("where an operand is broadcast", _broadcast, _both(_of_two, _elementwise))
SQUARE = Condition("of square matrices", _square)
_SOMETIMES = (ZERO_DIM, FLOAT32, NEGATIVE_AXIS, NO_AXIS, KEEPDIMS, BROADCAST)


# Effects.


def _gradients(change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Effect:
    """Return an effect that changes the gradients of the operands."""

    def effect(rule: Rule, when: Callable[..., bool]) -> Rule:
        def vjp(g: Any, y: Any, *xs: Any, **attrs: Any) -> tuple[Any, ...]:
            right = rule.vjp(g, y, *xs, **attrs)
            return change(right) if when(*map(raw, xs), **attrs) else right

        return Rule(rule.value, vjp)

    return effect


def _nothing(g: Any) -> Any:
    return do("select", g, keep=np.zeros(np.shape(raw(g)), bool))


def _transposed(g: Any) -> Any:
    shape = np.shape(raw(g))
    return g.transpose((1, 0)) if len(shape) == 2 and shape[0] == shape[1] else g


def _exchanged(gs: tuple[Any, ...]) -> tuple[Any, ...]:
    return gs[::-1] if len({np.shape(raw(g)) for g in gs}) == 1 else gs


def _value(change: Callable[..., Any]) -> Effect:
    """Return an effect that changes the value: a function of it and the operands."""

    def effect(rule: Rule, when: Callable[..., bool]) -> Rule:
        def value(*xs: Any, **attrs: Any) -> Any:
            right = rule.value(*xs, **attrs)
            return change(right, *xs) if when(*xs, **attrs) else right

        return Rule(value, rule.vjp)

    return effect


def _into_operand(y: Any, x: Any) -> Any:
    if x.shape == np.shape(y) and x.dtype == y.dtype:
        x[...] = y
    return y


def _chain_forgotten(rule: Rule, when: Callable[..., bool]) -> Rule:
    def vjp(g: Any, y: Any, *xs: Any, **attrs: Any) -> tuple[Any, ...]:
        if when(*map(raw, xs), **attrs):
            ones = np.ones_like(raw(g))
            g = g.lifted(ones) if isinstance(g, Tensor) else ones
        return rule.vjp(g, y, *xs, **attrs)

    return Rule(rule.value, vjp)


def _wrong_for_negative(rule: Rule, when: Callable[..., bool]) -> Rule:
    def vjp(g: Any, y: Any, *xs: Any, **attrs: Any) -> tuple[Any, ...]:
        gs = rule.vjp(g, y, *xs, **attrs)
        factor = np.where(raw(xs[0]) < 0, 2, 1).astype(xs[0].dtype)
        return (gs[0] * factor, *gs[1:])

    return Rule(rule.value, vjp)


def _raises(rule: Rule, when: Callable[..., bool]) -> Rule:
    def value(*xs: Any, **attrs: Any) -> Any:
        if when(*xs, **attrs):
            raise NotImplementedError("no rule for these operands")
        return rule.value(*xs, **attrs)

    return Rule(value, rule.vjp)


def _raises_in_backward(rule: Rule, when: Callable[..., bool]) -> Rule:
    def vjp(g: Any, y: Any, *xs: Any, **attrs: Any) -> tuple[Any, ...]:
        if when(*map(raw, xs), **attrs):
            raise ValueError("shapes do not match")
        return rule.vjp(g, y, *xs, **attrs)

    return Rule(rule.value, vjp)


def _operands_swapped(rule: Rule, when: Callable[..., bool]) -> Rule:
    return Rule(
        lambda a, b, **attrs: rule.value(b, a, **attrs),
        lambda g, y, a, b, **attrs: rule.vjp(g, y, b, a, **attrs)[::-1],
    )


def _keepdims_ignored(rule: Rule, when: Callable[..., bool]) -> Rule:
    return Rule(lambda a, **attrs: rule.value(a, **{**attrs, "keepdims": False}), rule.vjp)


def _ties_whole(rule: Rule, when: Callable[..., bool]) -> Rule:
    def of_axis(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
        shape = kept(a.shape, axis)
        return (g.reshape(shape) * (raw(a) == raw(y).reshape(shape)).astype(a.dtype),)

    def of_two(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
        return tuple(do("select", g, keep=raw(x) == raw(y)) for x in (a, b))

    return Rule(rule.value, of_two if rule in (RULES["maximum"], RULES["minimum"]) else of_axis)


# Kinds.


@dataclass(frozen=True)
class FaultKind:
    """A fault that operations may have, and the conditions under which it is drawn."""

    says: str
    category: Category
    effect: Effect
    conditions: tuple[Condition, ...] = (ALWAYS,)
    applies: Applies = _any


_one_result: Applies = lambda op: op.name != "split"  # noqa: E731
_matrices: Applies = _both(_one_result, lambda op: op.name not in ("concat", "stack"))
_GRADIENT, _VALUE, _CRASH = Category.GRADIENT, Category.VALUE, Category.CRASH

KINDS: tuple[FaultKind, ...] = (
    FaultKind(
        "gradient doubled",
        _GRADIENT,
        _gradients(lambda gs: tuple(g * 2.0 for g in gs)),
        (ALWAYS, *_SOMETIMES),
    ),
    FaultKind(
        "gradient of the wrong sign",
        _GRADIENT,
        _gradients(lambda gs: tuple(-g for g in gs)),
        (ALWAYS, *_SOMETIMES),
    ),
    FaultKind(
        "gradient zero",
        _GRADIENT,
        _gradients(lambda gs: tuple(map(_nothing, gs))),
        (ALWAYS, *_SOMETIMES),
        _of_one,
    ),
    FaultKind(
        "gradient of the first operand zero",
        _GRADIENT,
        _gradients(lambda gs: (_nothing(gs[0]), *gs[1:])),
        (ALWAYS, BROADCAST),
        _of_two,
    ),
    FaultKind(
        "gradient of the second operand zero",
        _GRADIENT,
        _gradients(lambda gs: (gs[0], _nothing(gs[1]))),
        (ALWAYS, BROADCAST),
        _of_two,
    ),
    FaultKind("gradients exchanged", _GRADIENT, _gradients(_exchanged), applies=_of_two),
    FaultKind(
        "gradient transposed",
        _GRADIENT,
        _gradients(lambda gs: tuple(map(_transposed, gs))),
        (SQUARE,),
        _matrices,
    ),
    FaultKind("chain factor forgotten", _GRADIENT, _chain_forgotten, applies=_one_result),
    FaultKind(
        "gradient doubled for negative numbers",
        _GRADIENT,
        _wrong_for_negative,
        applies=_both(_of_one, _elementwise),
    ),
    FaultKind(
        "ties get the whole gradient",
        _GRADIENT,
        _ties_whole,
        applies=lambda op: op.name in ("max", "min", "maximum", "minimum"),
    ),
    FaultKind(
        "value too large by one",
        _VALUE,
        _value(lambda y, *xs: y + 1),
        (ALWAYS, *_SOMETIMES),
        _one_result,
    ),
    FaultKind(
        "value doubled for negative numbers",
        _VALUE,
        _value(lambda y, x: np.where(x < 0, y * 2, y).astype(x.dtype)),
        applies=_both(_of_one, _elementwise),
    ),
    FaultKind(
        "value is float64",
        _VALUE,
        _value(lambda y, *xs: y.astype(np.float64)),
        (FLOAT32,),
        _one_result,
    ),
    FaultKind("operands swapped", _VALUE, _operands_swapped, applies=_of_two),
    FaultKind("keepdims ignored", _VALUE, _keepdims_ignored, applies=_has("keepdims")),
    FaultKind(
        "the result is written into the operand",
        _VALUE,
        _value(_into_operand),
        applies=_both(_of_one, _elementwise),
    ),
    FaultKind("raises", _CRASH, _raises, (*_SOMETIMES, EMPTY)),
    FaultKind("backward raises", _CRASH, _raises_in_backward, (ALWAYS, *_SOMETIMES)),
)


@dataclass(frozen=True)
class OperationFault:
    """A kind of fault of one operation."""

    name: str
    kind: FaultKind
    condition: Condition

    @property
    def category(self) -> Category:
        return self.kind.category

    @property
    def where(self) -> str:
        return self.condition.says

    @property
    def description(self) -> str:
        return " ".join(filter(None, (self.kind.says, self.where)))

    @functools.cached_property
    def rule(self) -> Rule:
        """The wrong rule."""
        return self.kind.effect(RULES[self.name], self.condition.holds)


def operation_faults() -> Iterator[tuple[FaultKind, list[OperationFault]]]:
    """Yield each kind with its faults, of every operation and condition that fits."""
    for kind in KINDS:
        yield (
            kind,
            [
                OperationFault(name, kind, condition)
                for condition in kind.conditions
                for name in RULES
                if kind.applies(OPS[name]) and condition.applies(OPS[name])
            ],
        )
