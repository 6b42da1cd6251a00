"""``Style``: colours of a report on a terminal, and none elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Style:
    """Escape codes of a terminal for the parts of a report; "" for none.

    Examples
    --------
    >>> PLAIN.paint(PLAIN.bad, "2 faults")
    '2 faults'
    >>> COLOURED.paint(COLOURED.bad, "2 faults")
    '\\x1b[1;31m2 faults\\x1b[0m'
    """

    bad: str = ""
    good: str = ""
    heading: str = ""
    code: str = ""
    quiet: str = ""

    def paint(self, code: str, text: str) -> str:
        """Return a text of one line in a colour of this style."""
        return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


PLAIN = Style()
COLOURED = Style(bad="1;31", good="1;32", heading="1", code="36", quiet="2")


def style_for(stream: TextIO) -> Style:
    """Return colours for a terminal, unless ``NO_COLOR`` is set (https://no-color.org)."""
    wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return COLOURED if wanted else PLAIN
