"""Errors that the command line shows as one line."""

from __future__ import annotations


class UsageError(Exception):
    """A command cannot run; the message is one line that says why and what to do."""
