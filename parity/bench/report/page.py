"""The report as one HTML file that includes its style, script and plots."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from parity.bench.report import formatting
from parity.bench.report.charts import charts
from parity.bench.report.compare import Comparison
from parity.bench.report.environment import environment, source
from parity.bench.report.history import History
from parity.bench.report.results import REFERENCE, Results
from parity.bench.report.speed import verdict
from parity.bench.report.summary import summary
from parity.bench.report.tables import tables

#: Name, heading and tables of each section, in order; plots name the table of their numbers.
_SECTIONS = (
    ("changes", "Changes", ("changes",)),
    ("history", "History", ("history", "steps")),
    ("ratios", f"Speed against {REFERENCE}", ("ratios", "noise")),
    ("times", "Time against size", ("times",)),
    ("gradients", "Backward against forward", ("gradients",)),
    ("lengths", "Growth with the length of the graph", ("growth", "points")),
    ("memory", "Memory", ("memory",)),
    ("generator", "Program generator", ("generator",)),
    ("conditions", "Machine, versions and settings", ("conditions",)),
)


def page(results: Results, comparison: Comparison | None, history: History | None = None) -> str:
    """The HTML of a result and, if given, of its comparison with an older one and its history."""
    templates = environment()
    templates.filters["moment"] = formatting.moment
    templates.filters["rows_of"] = lambda count: formatting.counted(count, "row")
    templates.filters["plots_of"] = lambda count: formatting.counted(count, "plot")
    script = source(templates, "report.js")
    text: str = templates.get_template("report.html").render(
        results=results,
        comparison=comparison,
        verdict=verdict(results, comparison),
        summary=summary(results, comparison, history),
        sections=_sections(results, comparison, history),
        script=script,
        # By this hash the content security policy allows this script alone.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return text


def _sections(
    results: Results, comparison: Comparison | None, history: History | None
) -> list[dict[str, Any]]:
    """Name, heading, plots and tables of the sections that have a table."""
    plots, made = charts(results, history), tables(results, comparison, history)
    return [
        {
            "name": name,
            "heading": heading,
            "charts": [plot for plot in plots if plot.table in names and not plot.closed],
            "closed": [plot for plot in plots if plot.table in names and plot.closed],
            "tables": [made[table] for table in names if table in made],
        }
        for name, heading, names in _SECTIONS
        if any(table in made for table in names)
    ]
