"""What shapes and attributes an engine takes, as it declares them in plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from parity._util.names import did_you_mean
from parity.language.attributes import as_plain, is_integer
from parity.language.program import Apply, Program
from parity.language.shapes import Attrs, Shape
from parity.language.table import OPS


def _numbers(value: Any) -> Iterator[float]:
    """Yield the numbers in nested tuples."""
    if isinstance(value, tuple):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, (int, float)):
        yield value


def _is_basic(item: Any) -> bool:
    return is_integer(item) or (isinstance(item, tuple) and item[:1] == ("slice",))


#: Words for the values that an engine takes.
WORDS: Mapping[str, Callable[[Any], bool]] = {
    "integer": is_integer,
    "integer or None": lambda value: value is None or is_integer(value),
    "not negative": lambda value: all(number >= 0 for number in _numbers(value)),
    "finite": lambda value: all(map(math.isfinite, _numbers(value))),
    "integers and slices": lambda value: all(
        map(_is_basic, value if isinstance(value, tuple) and value[:1] != ("slice",) else (value,))
    ),
}


@dataclass(frozen=True)
class Restrictions:
    """The shapes and attributes that an engine takes.

    Examples
    --------
    >>> some = Restrictions(attributes={"axis": "integer, not negative", "sum.keepdims": (False,)})
    >>> some.allow("sum", (("axis", 0), ("keepdims", False)))
    True
    >>> some.allow("sum", (("axis", (0, 1)), ("keepdims", False)))
    False
    """

    #: The fewest dimensions of a tensor (``Engine.min_ndim``).
    min_ndim: int = 0
    #: ``Engine.attribute_limits``.
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is restricted."""
        return bool(self.min_ndim or self.attributes)

    def have(self, *shapes: Shape) -> bool:
        """Whether tensors of these shapes exist."""
        return all(len(shape) >= self.min_ndim for shape in shapes)

    def padded(self, shape: Shape) -> Shape:
        """Return the shape with further axes of length 1 in front, as far as they are needed."""
        return (1,) * (self.min_ndim - len(shape)) + shape

    def allow(self, op: str, attrs: Attrs) -> bool:
        """Whether the operation takes these attributes."""
        return all(self._takes(op, name, value) for name, value in attrs)

    def _takes(self, op: str, name: str, value: Any) -> bool:
        limit = self.attributes.get(f"{op}.{name}", self.attributes.get(name))
        if limit is None:
            return True
        if isinstance(limit, str):
            return all(WORDS[word.strip()](value) for word in limit.split(","))
        return any(value == one and type(value) is type(one) for one in as_plain(limit))

    def support(self, program: Program) -> bool:
        """Whether an engine has all shapes and attributes of a program."""
        applied = (s for s in program.statements if isinstance(s, Apply))
        shapes = (info.shape for info in program.infos)
        return self.have(*shapes) and all(self.allow(s.op, s.attrs) for s in applied)

    def words(self) -> Iterator[str]:
        """Yield what is not tested, for reports."""
        if self.min_ndim:
            yield f"fewer dimensions than {self.min_ndim}"
        for name, limit in self.attributes.items():
            values = repr(limit) if isinstance(limit, str) else " or ".join(map(str, limit))
            yield f"{name} other than {values}"


#: Of an engine that takes all that PyTorch does.
ANYTHING = Restrictions()


def mistakes(min_ndim: Any, max_ndim: int | None, attributes: Any) -> Iterator[str]:
    """Yield what is wrong with the declarations of an engine."""
    if isinstance(min_ndim, bool) or not isinstance(min_ndim, int) or min_ndim < 0:
        yield f"min_ndim {min_ndim!r} is not an int of 0 or more"
    elif max_ndim is not None and min_ndim > max_ndim:
        yield f"min_ndim {min_ndim} is above max_ndim {max_ndim}"
    if not isinstance(attributes, Mapping):
        yield f"attribute_limits {attributes!r} is not a dict"
        return
    known = {name for op in OPS.values() for name in op.kinds}
    for key, limit in attributes.items():
        op, _, name = str(key).rpartition(".")
        names = known if not op else set(OPS[op].kinds) if op in OPS else set()
        if name not in names:
            every = [*known, *(f"{o.name}.{n}" for o in OPS.values() for n in o.kinds)]
            yield f"attribute_limits: no operation has {key!r}; {did_you_mean(str(key), every)}"
        yield from _wrong_limit(str(key), limit)


def are_limits(attributes: tuple[tuple[str, Any], ...]) -> bool:
    """Whether pairs, as they come from another process, are ``Engine.attribute_limits``."""
    return not any(mistakes(0, None, dict(attributes)))


def _wrong_limit(key: str, limit: Any) -> Iterator[str]:
    if isinstance(limit, str):
        unknown = [word.strip() for word in limit.split(",") if word.strip() not in WORDS]
        if unknown:
            hint = did_you_mean(unknown[0], WORDS)
            words = ", ".join(map(repr, WORDS))
            yield f"attribute_limits of {key!r}: {unknown[0]!r} is no limit; {hint}use {words}"
    elif not (isinstance(limit, (tuple, list)) and limit):
        yield f"attribute_limits of {key!r} is neither a text nor a tuple of values: {limit!r}"
