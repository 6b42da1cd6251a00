"""The libraries for templates and plots, which only ``parity report`` needs."""

from __future__ import annotations

import importlib.util

from parity.bench.report.results import ReportError

_MODULES = ("jinja2", "matplotlib")


def require() -> None:
    """ReportError names the extra where one of the libraries is missing."""
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise ReportError(
            f"parity report needs {' and '.join(missing)}, not installed here: "
            "pip install 'dezero-parity[report]'"
        )
