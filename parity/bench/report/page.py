"""The report as one HTML file that includes its style, script and plots."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from parity.bench.report import formatting
from parity.bench.report.charts import Chart, charts
from parity.bench.report.compare import Comparison
from parity.bench.report.results import REFERENCE, Results
from parity.bench.report.summary import summary
from parity.bench.report.svg import variables
from parity.bench.report.tables import Cell, Table, tables


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    name: str
    heading: str
    charts: list[Chart]
    tables: list[Table]


#: Name, heading and tables of each section, in order; plots name their section.
_SECTIONS = (
    ("changes", "Changes", ("changes",)),
    ("ratios", f"Speed against {REFERENCE}", ("ratios",)),
    ("times", "Time against size", ("times",)),
    ("lengths", "Growth with the length of the graph", ("growth", "points")),
    ("memory", "Memory", ("memory",)),
    ("generator", "Program generator", ("generator",)),
    ("conditions", "Machine, versions and settings", ("conditions",)),
)


def page(results: Results, comparison: Comparison | None) -> str:
    """The HTML of a result and, if given, of its comparison with an older one."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("parity.bench.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["key"] = _key
    environment.filters["moment"] = formatting.moment
    environment.filters["inline"] = Markup  # plots, whose text is already escaped
    loader = environment.loader
    assert loader is not None
    style, script = (
        loader.get_source(environment, name)[0] for name in ("report.css", "report.js")
    )
    text: str = environment.get_template("report.html").render(
        results=results,
        comparison=comparison,
        summary=summary(results, comparison),
        sections=_sections(results, comparison),
        style=Markup(style),
        script=Markup(script),
        script_hash=_hash(script),
        light=Markup(variables(0)),
        dark=Markup(variables(1)),
    )
    return text


def _sections(results: Results, comparison: Comparison | None) -> list[Section]:
    plots: Sequence[Chart] = charts(results)
    made = tables(results, comparison)
    sections = [
        Section(
            name,
            heading,
            [plot for plot in plots if plot.section == name],
            [made[table] for table in names if table in made],
        )
        for name, heading, names in _SECTIONS
    ]
    return [section for section in sections if section.tables]


def _key(cell: Cell) -> str:
    """The sort key of a cell as an HTML attribute."""
    return "" if cell.key is None else str(cell.key)


def _hash(script: str) -> str:
    """The hash by which the content security policy allows this script alone."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
