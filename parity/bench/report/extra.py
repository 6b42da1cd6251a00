"""The check for libraries that only ``parity report`` needs, for templates and plots."""

from __future__ import annotations

import importlib.util

from parity.bench.report.results import ReportError

_MODULES = ("jinja2", "matplotlib")


def require() -> None:
    """Raise ReportError, which names the extra, if a library is missing."""
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise ReportError(
            f"parity report needs {' and '.join(missing)}, not installed here: "
            "pip install 'dezero-parity[report]'"
        )
