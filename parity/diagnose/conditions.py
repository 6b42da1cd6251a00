"""Conditions: in which cells of an operation a fault shows, in words for a sentence.

The vocabulary is closed: a table of rows, each with one predicate. The first rows are the
simplest; of several conditions that fit equally well, the first is named.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.diagnose.setting import Setting
from parity.language.indexing import index_items, numbers_of
from parity.language.shapes import Shape, size
from parity.language.table import OPS


@dataclass(frozen=True)
class Condition:
    """A condition: its name, its words, which complete a sentence, and its predicate."""

    name: str
    words: str
    holds: Callable[[Setting], bool]


def _has(name: str, test: Callable[[Any], bool]) -> Callable[[Setting], bool]:
    """Return the predicate of an attribute."""
    return lambda s: name in s.attrs and test(s.attrs[name])


def _any_value(test: Callable[[float], bool]) -> Callable[[Setting], bool]:
    return lambda s: any(map(test, s.values))


def _of_operand(number: int, test: Callable[[float], bool]) -> Callable[[Setting], bool]:
    """Return the predicate of the values of one of several operands."""
    return lambda s: len(s.leaves) > max(1, number) and any(map(test, s.leaves[number].values))


def _of_index(kind: str, test: Callable[[Any], bool] = lambda item: True) -> Any:
    return lambda s: any(item[0] == kind and test(item) for item in s.index)


def _pairs(test: Callable[[float, float], bool]) -> Callable[[Setting], bool]:
    return lambda s: any(test(a, b) for a, b in s.pairs)


def _bounds(test: Callable[[float, float, float], bool]) -> Callable[[Setting], bool]:
    """Return the predicate of the values and the bounds of ``clip``."""

    def holds(s: Setting) -> bool:
        if "x_min" not in s.attrs:
            return False
        low, high = s.attrs["x_min"], s.attrs["x_max"]
        low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
        return any(test(v, low, high) for v in s.values)

    return holds


def _is_negative(v: float) -> bool:
    return v < 0


def _is_positive(v: float) -> bool:
    return v > 0


def _is_zero(v: float) -> bool:
    return v == 0


def _repeats(s: Setting) -> bool:
    """Return whether an index names an element twice."""
    if "indices" in s.attrs:
        rows = np.array(s.attrs["indices"])
        axis = s.attrs.get("axis", min(1, rows.ndim - 1))
        rows = np.moveaxis(rows, axis, -1).reshape(-1, rows.shape[axis])
        return any(len(set(row)) < len(row) for row in rows.tolist())
    if "index" not in s.attrs:
        return False
    lists = [list(numbers_of(item[1])) for item in s.index if item[0] in ("list", "array")]
    return bool(lists) and max(Counter(zip(*lists, strict=False)).values(), default=0) > 1


def _all_zero(s: Setting) -> bool:
    """Return whether all elements are zero, or all that are reduced together."""
    groups = s.groups if s.reduces else [s.values]
    return any(len(group) > 0 and not any(group) for group in groups)


CONDITIONS: tuple[Condition, ...] = (
    Condition("second", "in its second derivative", lambda s: s.second),
    Condition("create-graph", "with create_graph", lambda s: s.second),
    # Attributes.
    Condition("negative-axis", "with a negative axis", lambda s: any(a < 0 for a in s.axes)),
    Condition(
        "mixed-axes",
        "with axes counted from both ends",
        lambda s: min(s.axes, default=0) < 0 <= max(s.axes, default=-1),
    ),
    Condition("no-axis", "without an axis", _has("axis", lambda v: v is None)),
    Condition("axis", "with an axis", _has("axis", lambda v: v is not None)),
    Condition("keepdims", "with keepdims", _has("keepdims", lambda v: v)),
    Condition("no-keepdims", "without keepdims", _has("keepdims", lambda v: not v)),
    Condition("axis-tuple", "with a tuple of axes", _has("axis", lambda v: isinstance(v, tuple))),
    Condition("one-axis", "with one axis", _has("axis", lambda v: isinstance(v, int))),
    Condition(
        "several-axes",
        "with several axes",
        _has("axis", lambda v: isinstance(v, tuple) and len(v) > 1),
    ),
    Condition("first-axis", "along the first axis", lambda s: bool(s.axes) and min(s.places) == 0),
    Condition(
        "later-axis",
        "along another axis than the first",
        lambda s: bool(s.axes) and min(s.places) > 0,
    ),
    Condition(
        "some-axes",
        "over some of the axes",
        lambda s: "keepdims" in s.attrs and 0 < len(set(s.places)) < len(s.shapes[0]),
    ),
    Condition(
        "not-last-axis",
        "along an axis that is not the last",
        lambda s: any(p < len(s.shapes[0]) - 1 for p in s.places),
    ),
    Condition("correction", "with a correction", _has("correction", lambda v: v != 0)),
    Condition("no-correction", "without a correction", _has("correction", lambda v: v == 0)),
    Condition("negative-exponent", "with a negative exponent", _has("exponent", lambda v: v < 0)),
    Condition(
        "fraction-exponent", "with a broken exponent", _has("exponent", lambda v: v % 1 != 0)
    ),
    Condition("exponent-0", "with the exponent 0", _has("exponent", lambda v: v == 0)),
    Condition("exponent-1", "with the exponent 1", _has("exponent", lambda v: v == 1)),
    Condition("exponent-2", "with the exponent 2", _has("exponent", lambda v: v == 2)),
    Condition("exponent-not-2", "with another exponent than 2", _has("exponent", lambda v: v != 2)),
    Condition("negative-number", "with a negative number", _has("c", lambda v: v < 0)),
    Condition("positive-number", "with a positive number", _has("c", lambda v: v > 0)),
    Condition("integer", "with an integer", _has("c", lambda v: isinstance(v, int))),
    Condition("number-not-1", "with another number than 1", _has("c", lambda v: v != 1)),
    Condition("number-0", "with the number 0", _has("c", lambda v: v == 0)),
    Condition("no-slope", "with the slope 0", _has("slope", lambda v: v == 0)),
    Condition("slope", "with a slope", _has("slope", lambda v: v != 0)),
    Condition("no-lower", "without a lower bound", _has("x_min", lambda v: v is None)),
    Condition("no-upper", "without an upper bound", _has("x_max", lambda v: v is None)),
    Condition("at-bound", "at a bound", _bounds(lambda v, low, high: v in (low, high))),
    Condition("at-lower", "at the lower bound", _bounds(lambda v, low, high: v == low)),
    Condition("at-upper", "at the upper bound", _bounds(lambda v, low, high: v == high)),
    Condition("below", "below the lower bound", _bounds(lambda v, low, high: v < low)),
    Condition("above", "above the upper bound", _bounds(lambda v, low, high: v > high)),
    Condition("outside", "outside the bounds", _bounds(lambda v, low, high: v > high or v < low)),
    Condition("repeated-index", "where an index repeats", _repeats),
    Condition(
        "bare-index",
        "with an index that is not in a tuple",
        lambda s: "index" in s.attrs and index_items(s.attrs["index"]) is not s.attrs["index"],
    ),
    Condition("integer-index", "with an integer as index", _of_index("integer")),
    Condition("slice", "with a slice", _of_index("slice")),
    Condition("list-index", "with a list of indices", _of_index("list")),
    Condition("array-index", "with an array of indices", _of_index("array")),
    Condition("mask-index", "with a mask of booleans as index", _of_index("mask")),
    Condition("newaxis", "with a new axis", _of_index("newaxis")),
    Condition("ellipsis", "with an ellipsis", _of_index("...")),
    Condition(
        "negative-index",
        "with a negative index",
        lambda s: any(_negative_item(item) for item in s.index),
    ),
    Condition(
        "slice-start",
        "with a slice that does not start at 0",
        _of_index("slice", lambda item: bool(item[1])),
    ),
    Condition("slice-step", "with a slice with a step", _of_index("slice", lambda i: bool(i[3]))),
    Condition("several-indices", "with several indices", lambda s: len(s.index) > 1),
    Condition("empty-index", "with an empty index", _has("index", lambda v: v == ())),
    Condition(
        "not-inverse",
        "with a permutation that is not its own inverse",
        _has("axes", lambda v: any(v[v[i] % len(v)] % len(v) != i for i in range(len(v)))),
    ),
    Condition(
        "permutes",
        "where axes change places",
        lambda s: "axes" in s.attrs and s.places != sorted(s.places),
    ),
    Condition(
        "mixed-choice", "where both are chosen", _has("condition", lambda v: len(set(v)) > 1)
    ),
    Condition(
        "pad-before", "with padding before", _has("pad_width", lambda v: any(a for a, _ in v))
    ),
    Condition("pad-after", "with padding after", _has("pad_width", lambda v: any(b for _, b in v))),
    Condition("outputs", "with several outputs", lambda s: len(s.outputs) > 1),
    Condition("later-output", "from an output that is not the first", lambda s: s.root > 0),
    Condition(
        "first-output",
        "from the first of several outputs",
        lambda s: s.root == 0 and len(s.outputs) > 1,
    ),
    Condition(
        "new-rank",
        "where the number of dimensions changes",
        lambda s: all(len(shape) != len(s.outputs[0]) for shape in s.shapes),
    ),
    Condition(
        "sum-letter",
        "where a letter is summed",
        _has(
            "subscripts",
            lambda v: bool(set(v.partition("->")[0]) - set(v.partition("->")[2]) - {","}),
        ),
    ),
    Condition(
        "single-letter",
        "where a letter is in one operand only and is summed",
        _has("subscripts", lambda v: _letters_alone(v)),
    ),
    Condition(
        "permuted-letters",
        "where the letters of the result change places",
        _has("subscripts", lambda v: list(v.partition("->")[2]) != sorted(v.partition("->")[2])),
    ),
    # Values.
    Condition("all-zero", "where all elements are zero", _all_zero),
    Condition("ties", "with ties", lambda s: s.ties > 1),
    Condition("many-ties", "with ties of more than two elements", lambda s: s.ties > 2),
    Condition(
        "all-tie",
        "where all elements tie",
        lambda s: s.ties > 1 and any(len(set(g)) == 1 and len(g) > 1 for g in s.groups),
    ),
    Condition("equal", "where the operands are equal", _pairs(lambda a, b: a == b)),
    Condition("first-larger", "where the first operand is larger", _pairs(lambda a, b: a > b)),
    Condition("second-larger", "where the second operand is larger", _pairs(lambda a, b: a < b)),
    Condition("zero", "at zero", _any_value(_is_zero)),
    Condition("negative", "for negative numbers", _any_value(_is_negative)),
    Condition("positive", "for positive numbers", _any_value(_is_positive)),
    Condition("not-zero", "away from zero", _any_value(lambda v: v != 0)),
    Condition(
        "equal-elements",
        "where elements are equal",
        lambda s: any(len(set(leaf.values)) < len(leaf.values) for leaf in s.leaves),
    ),
    Condition("several-zeros", "with several zeros", lambda s: s.values.count(0) > 1),
    Condition("not-whole", "for numbers that are not whole", _any_value(lambda v: v % 1 != 0)),
    Condition("not-one", "for other numbers than 1", _any_value(lambda v: v != 1)),
    Condition(
        "first-negative", "where the first operand is negative", _of_operand(0, _is_negative)
    ),
    Condition(
        "second-negative", "where the second operand is negative", _of_operand(1, _is_negative)
    ),
    Condition("first-zero", "where the first operand is zero", _of_operand(0, _is_zero)),
    Condition("second-zero", "where the second operand is zero", _of_operand(1, _is_zero)),
    # Shapes.
    Condition(
        "broadcast", "where an operand is broadcast", lambda s: s.broadcast(0) or s.broadcast(1)
    ),
    Condition("first-broadcast", "where the first operand is broadcast", lambda s: s.broadcast(0)),
    Condition(
        "second-broadcast", "where the second operand is broadcast", lambda s: s.broadcast(1)
    ),
    Condition(
        "axis-broadcast",
        "where an axis of length 1 is broadcast",
        lambda s: any(
            s.broadcast(i) and _stretched(shape, s.outputs[0]) for i, shape in enumerate(s.shapes)
        ),
    ),
    Condition(
        "axis-added",
        "where broadcasting adds an axis",
        lambda s: any(
            s.broadcast(i) and len(shape) < len(s.outputs[0]) for i, shape in enumerate(s.shapes)
        ),
    ),
    Condition("0-d", "for a 0-d array", lambda s: not all(s.shapes)),
    Condition("all-0-d", "for 0-d arrays alone", lambda s: not any(s.shapes)),
    Condition("not-0-d", "for an array that is not 0-d", lambda s: any(s.shapes)),
    Condition("0-d-result", "with a 0-d result", lambda s: not s.outputs[s.root]),
    Condition("not-0-d-result", "with a result that is not 0-d", lambda s: bool(s.outputs[s.root])),
    Condition("one-element", "for one element", lambda s: all(size(n) == 1 for n in s.shapes)),
    Condition(
        "elements", "for more than one element", lambda s: any(size(n) > 1 for n in s.shapes)
    ),
    Condition("empty", "for an empty array", lambda s: not all(map(size, s.shapes))),
    Condition("vector", "for a vector", lambda s: any(len(n) == 1 for n in s.shapes)),
    Condition("matrix", "for a matrix", lambda s: any(len(n) == 2 for n in s.shapes)),
    Condition("matrices", "for matrices alone", lambda s: all(len(n) == 2 for n in s.shapes)),
    Condition("2-d", "for two dimensions or more", lambda s: any(len(n) > 1 for n in s.shapes)),
    Condition("3-d", "for three dimensions", lambda s: any(len(n) > 2 for n in s.shapes)),
    Condition(
        "square",
        "for a square matrix",
        lambda s: any(len(n) > 1 and len(set(n)) == 1 for n in s.shapes),
    ),
    Condition("length-1", "with an axis of length 1", lambda s: any(1 in n for n in s.shapes)),
    Condition(
        "one-operand", "for one operand", lambda s: OPS[s.op].arity == 0 and len(s.leaves) == 1
    ),
    Condition(
        "operands", "for several operands", lambda s: OPS[s.op].arity == 0 and len(s.leaves) > 1
    ),
    Condition(
        "three-operands",
        "for more than two operands",
        lambda s: OPS[s.op].arity == 0 and len(s.leaves) > 2,
    ),
    Condition("unequal", "where operands differ in shape", lambda s: len(set(s.shapes)) > 1),
    # Dtypes, constants, gradients.
    Condition("float32", "in float32", lambda s: any(x.dtype == "float32" for x in s.leaves)),
    Condition("float64", "in float64", lambda s: all(x.dtype == "float64" for x in s.leaves)),
    Condition("mixed", "with mixed dtypes", lambda s: len({x.dtype for x in s.leaves}) > 1),
    Condition(
        "constant",
        "where an operand is constant",
        lambda s: not all(x.requires_grad for x in s.leaves),
    ),
    Condition(
        "first-constant",
        "where the first operand is constant",
        lambda s: not s.leaves[0].requires_grad,
    ),
    Condition(
        "later-constant",
        "where an operand after the first is constant",
        lambda s: not all(x.requires_grad for x in s.leaves[1:]),
    ),
    Condition("seed", "with a gradient that is not 1", lambda s: s.gradient is not None),
)
#: The conditions by name, in their order, and how simple each is.
BY_NAME = {c.name: c for c in CONDITIONS}
_RANK = {c.name: i for i, c in enumerate(CONDITIONS)}


def conditions_of(setting: Setting) -> frozenset[str]:
    """Return the names of the conditions that hold.

    For an operation without rules each of its attributes is a condition as well, as
    ``reduction='sum'``.
    """
    names = [c.name for c in CONDITIONS if c.holds(setting)]
    if not OPS[setting.op].has_rules:
        named = (bool, int, float, str, type(None))
        pairs = setting.attrs.items()
        names += [f"{name}={value!r}" for name, value in pairs if isinstance(value, named)]
    return frozenset(names)


def rank(name: str) -> int:
    """Return how simple a condition is: 0 for the simplest."""
    return _RANK.get(name, _RANK["outputs"])


def _negative_item(item: Any) -> bool:
    return any(isinstance(n, int) and n < 0 for n in numbers_of(item[1:]))


def _stretched(shape: Shape, result: Shape) -> bool:
    ends = zip(reversed(shape), reversed(result), strict=False)
    return any(n == 1 and m != 1 for n, m in ends)


def _letters_alone(subscripts: str) -> bool:
    operands, _, result = subscripts.partition("->")
    counts = Counter(operands.replace(",", ""))
    return any(n == 1 and letter not in result for letter, n in counts.items())


def words(names: tuple[str, ...]) -> str:
    """Return the words of several conditions that hold together."""
    return " and ".join(BY_NAME[n].words if n in BY_NAME else f"with {n}" for n in names)
