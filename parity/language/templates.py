"""Operand templates: which shapes the operands of an operation have, as text.

``"b c 6 7, o c k l"`` stands for two operands of four axes each. A number is a fixed length. A
letter is a length: 1 to 3, for a capital 3 to 5, and the same wherever the letter stands. ``*s``
is any shape of up to three axes, ``+s`` one of one to three axes, and ``~s`` a shape that
broadcasts with it. Nothing between commas is an array without axes. A last operand ``...`` stands
for any number of operands like the one before.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from typing import Final

from parity.language.shapes import Shape, ShapeError, broadcast

#: How many axes ``*s`` and ``+s`` have, and how often relative to each other.
_AXES: Final = {"*": (0, 1, 1, 2, 2, 3), "+": (1, 1, 2, 2, 3)}
#: Lengths of small letters, of capitals, and of the axes of whole shapes.
_SMALL, _LARGE, _LENGTHS = (2, 3, 1), (3, 4, 5), (2, 3, 2, 3, 1)
#: The most operands that a template may have, and the largest length that it may fix.
MOST_OPERANDS: Final = 9
MOST_LENGTH: Final = 64


class TemplateError(ValueError):
    """A template that cannot be read; the message says what is wrong."""


@dataclass(frozen=True)
class Template:
    """The shapes of operands; ``Template.of`` reads one.

    Examples
    --------
    >>> template = Template.of("m k, k n")
    >>> template.matches(((2, 3), (3, 1))), template.matches(((2, 3), (2, 3)))
    (True, False)
    >>> template.draw(random.Random(0))
    ((3, 3), (3, 2))
    """

    text: str
    #: For each operand the parts of its shape.
    operands: tuple[tuple[str, ...], ...]
    #: Whether any number of further operands may follow.
    repeats: bool

    @staticmethod
    @functools.lru_cache(maxsize=4096)
    def of(text: str) -> Template:
        """Read a template. Raises TemplateError if it is none."""
        parts = [tuple(operand.split()) for operand in text.split(",")]
        repeats = len(parts) > 1 and parts[-1] == ("...",)
        operands = tuple(parts[: len(parts) - repeats])
        if len(operands) > MOST_OPERANDS:
            raise TemplateError(f"{len(operands)} operands, and at most {MOST_OPERANDS} have names")
        seen: set[str] = set()
        for operand in operands:
            for part in operand:
                _check_part(part, text, seen)
            if sum(not _is_axis(part) for part in operand) > 1:
                raise TemplateError(f"{' '.join(operand)!r}: one operand has two whole shapes")
        return Template(text, operands, repeats)

    def check_result(self, result: str) -> None:
        """Raise TemplateError if a result has parts that no operand has."""
        known = {part.lstrip("*+~") for operand in self.operands for part in operand}
        for part in result.split():
            if not part.isdigit() and part.lstrip("*+~") not in known:
                raise TemplateError(f"{part!r} of the result is in no operand of {self.text!r}")

    @property
    def arity(self) -> int:
        """The number of operands; 0: any number, at least one."""
        return 0 if self.repeats else len(self.operands)

    def draw(self, source: random.Random) -> tuple[Shape, ...]:
        """Return shapes of operands that fit."""
        lengths = {
            part: source.choice(_LARGE if part.isupper() else _SMALL)
            for part in sorted({p for operand in self.operands for p in operand if p.isalpha()})
        }
        whole = {
            part[1:]: tuple(source.choice(_LENGTHS) for _ in range(source.choice(_AXES[part[0]])))
            for operand in self.operands
            for part in operand
            if part[0] in _AXES
        }
        operands = self.operands
        if self.repeats:
            operands += (operands[-1],) * source.choice((1, 0, 2))
        drawn = [self._drawn(operand, lengths, whole, source) for operand in operands]
        broadcasts = [i for i, operand in enumerate(operands) if operand and operand[-1][0] in "*~"]
        if broadcasts and "~" in self.text and source.random() < 0.3:  # the smaller one is first
            first, second = broadcasts[0], broadcasts[-1]
            drawn[first], drawn[second] = drawn[second], drawn[first]
        return tuple(drawn)

    @staticmethod
    def _drawn(
        operand: tuple[str, ...],
        lengths: dict[str, int],
        whole: dict[str, Shape],
        source: random.Random,
    ) -> Shape:
        shape: list[int] = []
        for part in operand:
            if _is_axis(part):
                shape.append(int(part) if part.isdigit() else lengths[part])
            elif part[0] == "~":
                kept = whole[part[1:]]
                kept = kept[source.choice((0, 0, 0, 1, len(kept))) :]
                shape += [1 if source.random() < 0.25 else n for n in kept]
            else:
                shape += whole[part[1:]]
        return tuple(shape)

    def matches(self, shapes: tuple[Shape, ...]) -> bool:
        """Return whether operands of these shapes fit."""
        return self._lengths(shapes) is not None

    def shape_of(self, result: str, shapes: tuple[Shape, ...]) -> Shape:
        """Return the shape of a result in the letters of this template; "": as broadcast.

        >>> Template.of("m k, k n").shape_of("m n", ((2, 3), (3, 4)))
        (2, 4)
        """
        lengths = self._lengths(shapes)
        if lengths is None:
            raise ShapeError(f"operands of shapes {shapes} do not fit {self.text!r}")
        if not result:
            return broadcast(*shapes)
        axes, whole = lengths
        shape: list[int] = []
        for part in result.split():
            if _is_axis(part):
                shape.append(int(part) if part.isdigit() else axes[part])
            else:
                shape += whole[part[1:]]
        return tuple(shape)

    def _lengths(self, shapes: tuple[Shape, ...]) -> tuple[dict[str, int], dict[str, Shape]] | None:
        """Return what letters and names stand for in these shapes; None if they do not fit."""
        operands = self.operands
        if self.repeats and len(shapes) >= len(operands):
            operands += (operands[-1],) * (len(shapes) - len(operands))
        if len(shapes) != len(operands):
            return None
        known: dict[str, int] = {}
        whole: dict[str, Shape] = {}
        fits = all(_fits(o, s, known, whole) for o, s in zip(operands, shapes, strict=True))
        return (known, whole) if fits else None


def _is_axis(part: str) -> bool:
    return (part.isascii() and part.isdigit()) or (part.isalpha() and len(part) == 1)


def _check_part(part: str, text: str, seen: set[str]) -> None:
    """Raise TemplateError for what is no part of a shape; note whole shapes in ``seen``."""
    if _is_axis(part):
        if part.isdigit() and (len(part) > 2 or int(part) > MOST_LENGTH):
            raise TemplateError(
                f"an axis of {part[:20]} elements, and at most {MOST_LENGTH} are there"
            )
        return
    if part[:1] not in ("*", "+", "~") or not part[1:].isalpha():
        raise TemplateError(f"{part!r} in the operands {text!r} is no letter, number, *s, +s or ~s")
    if part[0] == "~" and part[1:] not in seen:
        raise TemplateError(f"{part!r} comes before *{part[1:]} in the operands {text!r}")
    seen.add(part[1:])


def _fits(
    operand: tuple[str, ...], shape: Shape, known: dict[str, int], whole: dict[str, Shape]
) -> bool:
    """Return whether a shape fits an operand; note what its letters stand for."""
    places = [i for i, part in enumerate(operand) if not _is_axis(part)]
    if not places:
        return len(shape) == len(operand) and _lengths_fit(operand, shape, known)
    place, rest = places[0], len(operand) - places[0] - 1
    if len(shape) < len(operand) - 1:
        return False
    middle = shape[place : len(shape) - rest]
    axes = operand[:place] + operand[place + 1 :]
    outer = shape[:place] + shape[len(shape) - rest :]
    return _lengths_fit(axes, outer, known) and _whole_fits(operand[place], middle, whole)


def _lengths_fit(parts: tuple[str, ...], shape: Shape, known: dict[str, int]) -> bool:
    # A capital is a length of several: ``torch.pdist`` of no rows ends the process.
    return all(
        n == int(part)
        if part.isdigit()
        else known.setdefault(part, n) == n and not (part.isupper() and n == 0)
        for part, n in zip(parts, shape, strict=True)
    )


def _whole_fits(part: str, shape: Shape, whole: dict[str, Shape]) -> bool:
    kind, name = part[0], part[1:]
    if kind == "~":
        try:
            whole[name] = broadcast(whole[name], shape)
        except ShapeError:
            return False
        return True
    return (kind == "*" or len(shape) > 0) and whole.setdefault(name, shape) == shape
