"""The environment of the templates of both pages, with the style and colours that they share."""

from __future__ import annotations

import jinja2
from markupsafe import Markup

from parity.bench.report.svg import variables

_TEMPLATES = jinja2.PackageLoader("parity.bench.report")


def environment() -> jinja2.Environment:
    """Return an environment that escapes text; ``inline`` is for drawings, which are escaped."""
    made = jinja2.Environment(
        loader=_TEMPLATES,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["inline"] = Markup
    made.globals.update(
        style=source(made, "report.css"), light=Markup(variables(0)), dark=Markup(variables(1))
    )
    return made


def source(made: jinja2.Environment, name: str) -> Markup:
    """Return a file beside the templates as it is."""
    return Markup(_TEMPLATES.get_source(made, name)[0])
