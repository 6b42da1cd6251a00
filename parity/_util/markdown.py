"""Tables and text in Markdown, as GitHub shows it."""

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
    texts = (re.sub(r"(?<!\\)\|", r"\|", " ".join(str(cell).splitlines())) for cell in cells)
    return f"| {' | '.join(texts)} |"


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, HTML, link, mention or issue number."""
    escaped = re.sub(r"([\\`*_{}\[\]<>|~$])", r"\\\1", text.replace("&", "&amp;"))
    escaped = escaped.replace("\\<", "&lt;").replace("\\>", "&gt;")
    # A comment of no length keeps names from people and issues and addresses from links.
    return re.sub(r"([@#]|://|www\.)(?=\w|/)", r"\1<!-- -->", escaped)
