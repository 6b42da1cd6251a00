"""Two runs of one program, side by side: each value, and the gradients after each event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np

from parity._util.escape import one_line
from parity.engines.trace import Failure, Observation, Trace
from parity.language import program as pr

#: What is said of a side that has no gradient, and of one that did not get that far.
NONE, NOTHING = "None", ""
#: Statements of more characters have their values on lines of their own.
_WIDEST = 44
#: Arrays of more elements are shown by the first and the last ones.
_MOST_ELEMENTS = 24
#: Characters of a message of an exception.
_LONGEST_MESSAGE = 60
#: Observations that are of interest only where they differ.
_QUIET = ("held", "gradient")


class Place(NamedTuple):
    """What was observed: after which statement, what and of which tensor."""

    statement: int
    what: str
    which: int


@dataclass(frozen=True)
class Row:
    """One observation on both sides, as text; of the first ones of a statement with its code."""

    place: Place
    code: str
    #: ``x2`` or ``x0.grad``; "" for a statement without results.
    name: str
    engine: str = NOTHING
    reference: str = NOTHING
    differs: bool = False


@dataclass(frozen=True)
class SideBySide:
    """The rows of a program; ``str`` is an aligned table, ``html`` the same for a page."""

    names: tuple[str, str]
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        cells = [(_left(row), row.engine, row.reference, row.differs) for row in self._lines()]
        first = max((len(left) for left, *texts, _ in cells if any(texts)), default=0)
        second = max(map(len, (self.names[0], *(engine for _, engine, *_ in cells))))
        third = max(map(len, (self.names[1], *(reference for _, _, reference, _ in cells))))
        lines = [f"{'':{first}}  {self.names[0]:{second}}  {self.names[1]}".rstrip()]
        for left, engine, reference, differs in cells:
            mark = "  <- differs" if differs else ""
            line = f"{left:{first}}  {engine:{second}}  {reference:{third}}"
            lines.append(f"{line}{mark}".rstrip())
        return "\n".join(lines)

    def html(self) -> str:
        """Return a table for a page; what differs is bold."""
        head = "".join(f"<th>{escape(name)}</th>" for name in ("", *self.names))
        body = "".join(map(_html_row, self._lines()))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _lines(self) -> Iterator[Row]:
        """Yield the rows; several results of a statement come below its code."""
        of_statement: dict[tuple[int, int], list[Row]] = {}
        for row in self.rows:
            statement, what, which = row.place
            of_statement.setdefault((statement, which if what == "leaf" else -1), []).append(row)
        for rows in of_statement.values():
            code = rows[0].code
            inline = len(rows) == 1 and len(code) <= _WIDEST and rows[0].place.what != "grad"
            if code and not inline:
                yield Row(Place(rows[0].place.statement, "", 0), code, "")
            for row in rows:
                if row.name or inline:
                    yield row if inline else Row(row.place, "", *_values(row))


def _values(row: Row) -> tuple[str, str, str, bool]:
    return row.name, row.engine, row.reference, row.differs


def _left(row: Row) -> str:
    return row.code or f"  {row.name}"


def _html_row(row: Row) -> str:
    code = f"<code>{escape(row.code or row.name)}</code>"
    left = code if row.code else f"&emsp;{code}"
    tag = "b" if row.differs else "span"
    cells = (f"<td><{tag}>{escape(text)}</{tag}></td>" for text in (row.engine, row.reference))
    return f"<tr><td>{left}</td>{''.join(cells)}</tr>"


def side_by_side(
    program: pr.Program,
    names: tuple[str, str],
    engine: Trace,
    reference: Trace,
    differs: Place | None = None,
    rtol: float = 0.0,
) -> SideBySide:
    """Return what both sides show of a program.

    ``differs`` is the place of a finding, which is marked. Numbers elsewhere are marked if they
    differ by more than a relative ``rtol``.
    """
    sides = [_by_place(trace) for trace in (engine, reference)]
    places = dict.fromkeys(place for side in sides for place in side)
    of_statement: dict[int, list[Place]] = {}
    for place in places:
        of_statement.setdefault(place.statement, []).append(place)
    rows = [
        Row(Place(-1, "leaf", i), f"x{i} = leaf({leaf})", "")
        for i, leaf in enumerate(program.leaves)
    ]
    lines = str(program).splitlines()[len(program.leaves) :]
    for number in range(-1, len(program.statements) + 1):
        code = lines[number] if 0 <= number < len(lines) else ""
        found = [
            _row(place, code, sides, place == differs, rtol)
            for place in of_statement.get(number, ())
        ]
        found = [row for row in found if row.differs or _is_shown(row, program)]
        found += _raised(number, code, (engine.failure, reference.failure))
        rows += found or ([Row(Place(number, "", 0), code, "")] if code else [])
        if any(
            trace.failure and trace.failure.statement == number for trace in (engine, reference)
        ):
            rows += [
                Row(Place(later, "", 0), lines[later], "")
                for later in range(number + 1, len(lines))
            ]
            break
    return SideBySide(names, tuple(rows))


def _by_place(trace: Trace) -> dict[Place, Observation]:
    return {Place(*observed[:3]): observed for observed in trace.observations}


def _is_shown(row: Row, program: pr.Program) -> bool:
    """Whether an observation that does not differ is of interest."""
    place = row.place
    if place.statement >= len(program.statements) or place.what in _QUIET:
        return False
    if place.what != "grad":
        return True
    return program.leaves[place.which].requires_grad or row.engine != row.reference


def _row(
    place: Place, code: str, sides: list[dict[Place, Observation]], marked: bool, rtol: float
) -> Row:
    ours, theirs = (side.get(place) for side in sides)
    a, b = (None if one is None else one.array for one in (ours, theirs))
    texts = texts_of(a, b)
    engine, reference = (
        text if one is not None else NOTHING
        for text, one in zip(texts, (ours, theirs), strict=True)
    )
    both = ours is not None and theirs is not None
    differs = marked or (both and not _close(a, b, rtol))
    return Row(place, code, _name(place), engine, reference, differs)


def _name(place: Place) -> str:
    name = f"x{place.which}"
    names = {
        "grad": f"{name}.grad",
        "held": f"{name}.grad, as it was before",
        "gradient": "the array passed to backward",
    }
    return names.get(place.what, name)


def _close(a: Any, b: Any, rtol: float) -> bool:
    if rtol == float("inf"):  # both agree, whatever is left of rounding, also beside zero
        return True
    if a is None or b is None:
        return a is b
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol, 0.0, equal_nan=True))


def texts_of(a: Any, b: Any) -> tuple[str, str]:
    """Return two arrays as texts of one line that differ if the arrays do."""
    texts = _text(a), _text(b)
    if texts[0] == texts[1] and not _close(a, b, 0.0):
        texts = _text(a, "unique"), _text(b, "unique")
    if texts[0] == texts[1] and not _close(a, b, 0.0):
        texts = texts[0] + _form(a), texts[1] + _form(b)
    return texts


def _text(array: Any, floatmode: Any = "maxprec") -> str:
    if array is None:
        return NONE
    with np.printoptions(8, _MOST_ELEMENTS, 2, 10**6, False, floatmode=floatmode):
        return one_line(" ".join(str(np.asarray(array)).split()))


def _form(array: Any) -> str:
    return "" if array is None else f" ({array.dtype} {array.shape})"


def _raised(number: int, code: str, failures: tuple[Failure | None, Failure | None]) -> list[Row]:
    """Return the row of the exceptions of a statement, if there are any."""
    ours, theirs = (f if f and f.statement == number else None for f in failures)
    if ours is theirs is None:
        return []
    engine, reference = (
        one_line(f.text(), _LONGEST_MESSAGE) if f else "no exception" for f in (ours, theirs)
    )
    place = Place(number, "exception", 0)
    return [Row(place, code, "raises", engine, reference, ours is None or theirs is None)]
