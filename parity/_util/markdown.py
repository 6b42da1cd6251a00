"""Tables in Markdown, as GitHub shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_RULES = {"l": "---", "r": "---:", "c": ":---:"}


def table(header: Sequence[object], rows: Iterable[Sequence[object]], align: str = "") -> list[str]:
    """The lines of a table.

    Cells may have markup; ``str`` is taken of each, pipes and line breaks cannot end it.
    ``align`` has a letter per column: ``l`` left (as those without one), ``r`` right, ``c`` centre.

    >>> print(*table(["name", "count"], [["a|b", 3]], "lr"), sep="\\n")
    | name | count |
    |---|---:|
    | a\\|b | 3 |
    """
    rules = (_RULES[letter] for letter in align.ljust(len(header), "l"))
    return [_row(header), f"|{'|'.join(rules)}|", *map(_row, rows)]


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(cell: object) -> str:
    # A pipe after an even number of backslashes is not yet escaped.
    return re.sub(r"(?<!\\)((?:\\\\)*)\|", r"\1\\|", " ".join(str(cell).splitlines()))
