"""Errors of campaigns, and imports of optional packages."""

from __future__ import annotations

import importlib
from typing import Any

from parity._util.errors import UsageError


class CampaignError(UsageError):
    """A campaign cannot run or go on; the message is one line that says why and what to do."""


def optional(module: str, extra: str, purpose: str) -> Any:
    """Import a module that ``extra`` installs. Raises CampaignError if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = (error.name or module).partition(".")[0]
        raise CampaignError(
            f"{purpose} needs {package}, not installed here: pip install 'dezero-parity[{extra}]'"
        ) from None
