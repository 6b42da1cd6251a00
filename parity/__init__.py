"""Finds programs on which an autograd engine and PyTorch differ.

The pipeline: bytes become a ``Program``, engines run it and leave a ``Trace``
each, two traces are compared to findings, a finding is reduced to the smallest
program and written as a script that anyone can run. ``docs/architecture.md``
follows one program through the packages.

>>> import parity
>>> result = parity.check("dezero", examples=200)
>>> result.ok
True

``parity.run`` runs one program on both sides, and ``parity.explain`` says what a name means.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.campaign.result import Report as Report
    from parity.campaign.result import SearchResult as SearchResult
    from parity.campaign.search import check as check
    from parity.diagnose.lookup import explain as explain
    from parity.engines.base import Engine as Engine
    from parity.engines.base import Unsupported as Unsupported
    from parity.function.check import check_function as check_function
    from parity.function.result import FunctionResult as FunctionResult
    from parity.language.program import Program as Program
    from parity.oracle.finding import Finding as Finding
    from parity.oracle.one_program import run as run

__version__ = "0.1.0"
__all__ = [
    *("Engine", "Finding", "FunctionResult", "Program", "Report", "SearchResult", "Unsupported"),
    *("check", "check_function", "explain", "run"),
]

#: Where public names are; a module is imported when a name of it is first asked for, since
#: PyTorch takes seconds to import.
_MODULES = {
    "Engine": "parity.engines.base",
    "Finding": "parity.oracle.finding",
    "FunctionResult": "parity.function.result",
    "Program": "parity.language.program",
    "Report": "parity.campaign.result",
    "SearchResult": "parity.campaign.result",
    "Unsupported": "parity.engines.base",
    "check": "parity.campaign.search",
    "check_function": "parity.function.check",
    "explain": "parity.diagnose.lookup",
    "run": "parity.oracle.one_program",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
