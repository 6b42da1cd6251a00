"""``UsageError``, shown by the command line and pytest in one line, with exit status 2."""

from __future__ import annotations

from parity._util.escape import one_line

#: The exit status of a command, or of a run of pytest, that cannot run.
CANNOT_RUN = 2


class UsageError(Exception):
    """A command cannot run; the message is one line that says why and what to do."""

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))
