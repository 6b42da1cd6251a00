"""Indices, as in ``x[1, ::2]``: how they are written as data, and which shape they give.

An index is a tuple of items, or one item that is in no tuple, as in ``x[1]``. An item is an
integer, ``("slice", start, stop, step)``, ``("list", integers)``, ``("array", nested integers)``,
``("mask", nested booleans)``, ``"newaxis"`` or ``"..."``. It is data from a file, never code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity.language.shapes import Shape, ShapeError, fits

Index: TypeAlias = Any
_FULL = ("slice", None, None, None)


def index_items(index: Index) -> tuple[Any, ...]:
    """Return the items of an index, one if it is no tuple of items."""
    alone = not isinstance(index, tuple) or (index and index[0] in _KINDS)
    return (index,) if alone else index


def item_kind(item: Any) -> str:
    """Return "integer", "newaxis", "..." or the kind of an item with arguments.

    >>> item_kind(3), item_kind(("slice", 1, None, None))
    ('integer', 'slice')
    """
    return item[0] if isinstance(item, tuple) else item if isinstance(item, str) else "integer"


def real_index(index: Index) -> Any:
    """Return the Python index for an index of a program."""
    items = index_items(index)
    real = tuple(map(_real_item, items))
    return real if items is index else real[0]


def _real_item(item: Any) -> Any:
    kind = item_kind(item)
    return _KINDS[kind](*item[1:]) if isinstance(item, tuple) else _NAMES.get(kind, item)


def _array(dtype: type) -> Callable[[Any], NDArray[Any]]:
    return lambda numbers: np.array(numbers, dtype)


_KINDS: dict[str, Callable[..., Any]] = {
    "slice": slice,
    "list": list,
    "array": _array(int),
    "mask": _array(bool),
}
_NAMES = {"newaxis": None, "...": Ellipsis}


def lengths_of(nested: Any) -> Shape:
    """Return the shape of nested tuples. Raises ShapeError if rows differ in length."""
    if not isinstance(nested, tuple):
        return ()
    inner = {lengths_of(one) for one in nested}
    if len(inner) > 1:
        raise ShapeError("rows of an index differ in length")
    return (len(nested), *next(iter(inner), ()))


def numbers_of(nested: Any) -> Iterator[Any]:
    """Yield the numbers of nested tuples in C order."""
    if isinstance(nested, tuple):
        for one in nested:
            yield from numbers_of(one)
    else:
        yield nested


def axes_of(item: Any) -> int:
    """Return how many axes of the operand an item takes."""
    kind = item_kind(item)
    return len(lengths_of(item[1])) if kind == "mask" else int(kind not in _NAMES)


def get_item(a: Shape, *, index: Index) -> tuple[Shape, ...]:
    """Return the shape that an index gives. Raises ShapeError if it does not apply to ``a``.

    Several arrays of indices have one shape and stand side by side, without integers among the
    items: elsewhere PyTorch and NumPy order the axes of the result differently.
    """
    items = _spread(a, index_items(index), index)
    result: list[int] = []
    arrays: list[tuple[int, int, Shape]] = []  # positions in the index and the result, and shapes
    place = 0
    for position, item in enumerate(items):
        kind, taken = item_kind(item), axes_of(item)
        lengths = a[place : place + taken]
        place += taken
        if kind == "newaxis":
            result.append(1)
        elif kind == "slice":
            result.append(len(range(*slice(*item[1:]).indices(lengths[0]))))
        elif kind == "mask":
            if lengths_of(item[1]) != lengths:
                raise ShapeError(f"index {index} of shape {a}")
            arrays.append((position, len(result), (sum(map(bool, numbers_of(item[1]))),)))
        else:
            numbers = item if kind == "integer" else item[1]
            if any(not -lengths[0] <= n < lengths[0] for n in numbers_of(numbers)):
                raise ShapeError(f"index {index} of shape {a}")
            if kind != "integer":
                arrays.append((position, len(result), lengths_of(numbers)))
    if arrays:
        first = arrays[0][0]
        apart = [position for position, _, _ in arrays] != list(range(first, first + len(arrays)))
        mixed = any(item_kind(item) == "integer" for item in items)
        if apart or mixed or len({shape for _, _, shape in arrays}) > 1:
            raise ShapeError(f"index {index} of shape {a}")
        result[arrays[0][1] : arrays[0][1]] = arrays[0][2]
    return (tuple(result),)


def _spread(a: Shape, items: tuple[Any, ...], index: Index) -> list[Any]:
    """Return items for every axis of ``a``, with full slices in place of an ellipsis."""
    rest = len(a) - sum(map(axes_of, items))
    if rest < 0:
        raise ShapeError(f"index {index} of shape {a}")
    spread: list[Any] = []
    for item in items if "..." in items else (*items, "..."):
        spread += [_FULL] * rest if item == "..." else [item]
    return spread


def get_item_choices(a: Shape) -> list[dict[str, Any]]:
    """Return indices that apply to a shape, simplest first."""
    every: list[Index] = [(), ("newaxis",), ("...",)]
    twice, rest, every_second = ("list", (0, 0)), ("slice", 1, None, None), ("slice", None, None, 2)
    if a:
        n = a[0]
        every += [(0,), (twice,), (("slice", 0, 1, None),), (-1,), (("list", (0, n - 1, 0)),)]
        every += [(rest,), (every_second,), (("slice", -1, None, None),)]
        every += [(("slice", 1, n, None),), (("list", ()),), (("list", (-1, 0)),)]
        every += [("...", 0), ("...", "newaxis"), (_FULL, "newaxis")]
        every += [0, rest, twice, "...", "newaxis", _mask((n,)), ("array", ((0, n - 1), (-1, 0)))]
        every += [_mask(a), ("...", _mask(a[-1:])), ("slice", -2, None, None)]
    if len(a) > 1:
        every += [(_FULL, twice), (twice, twice), (0, every_second), (_FULL, rest)]
        every += [(_FULL, -1), (("list", (0, a[0] - 1)), ("list", (0, a[1] - 1)))]
        every += [-1, (_mask(a[:1]), rest), (_FULL, "newaxis", every_second)]
        every += [(("array", ((0,), (-1,))), ("array", ((-1,), (0,))))]
    if len(a) > 2:
        every += [(_FULL, _mask(a[1:])), ("...", twice, _FULL), (0, "newaxis", "...", rest)]
    return [{"index": index} for index in every if fits(get_item, a, index=index)]


def _mask(shape: Shape) -> Index:
    """Return a mask that keeps the first of every three elements, and the last one."""
    count = math.prod(shape)
    kept = iter([i % 3 == 0 or i == count - 1 for i in range(count)])
    return ("mask", _nested(shape, kept))


def _nested(shape: Shape, values: Iterator[bool]) -> Any:
    if not shape:
        return next(values)
    return tuple([_nested(shape[1:], values) for _ in range(shape[0])])


def slice_backwards(a: Shape, *, axis: int, start: Any, stop: Any, step: int) -> tuple[Shape, ...]:
    """Return the shape of a slice with a negative step along an axis."""
    if not -len(a) <= axis < len(a) or step >= 0:
        raise ShapeError(f"a slice with step {step} along axis {axis} of {a}")
    axis %= len(a)
    kept = len(range(*slice(start, stop, step).indices(a[axis])))
    return ((*a[:axis], kept, *a[axis + 1 :]),)


def slice_backwards_choices(a: Shape) -> list[dict[str, Any]]:
    """Return slices with negative steps along each axis."""
    slices = ((None, None, -1), (None, None, -2), (-2, None, -1), (None, 0, -1))
    return [
        {"axis": axis, "start": start, "stop": stop, "step": step}
        for axis in range(len(a))
        for start, stop, step in slices
    ]
