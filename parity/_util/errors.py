"""``UsageError``, shown by the command line and pytest in one line, with exit status 2."""

from __future__ import annotations


class UsageError(Exception):
    """A command cannot run; the message is one line that says why and what to do."""
