"""The command ``parity survey``: writes the findings of several engines on one page."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path
from typing import Any

from parity.campaign.paths import FINDINGS as FINDINGS_FOLDER
from parity.cli.options import (
    DEFAULT_EXAMPLES,
    add_isolation,
    check_file,
    check_folder,
    count,
    limits_of,
    write_json,
    write_text,
)
from parity.cli.status import CANNOT_RUN, PARITY

_SURVEYED = "default: the built-in ones; ENGINE@N runs N examples a seed on a slow one"


def add_survey(commands: Any) -> None:
    """Add ``survey`` to the subparsers of ``parity``."""
    survey = commands.add_parser(
        "survey",
        help="what a set of engines gets wrong, on one page",
        description="Writes Markdown. Exit status: 0 the page was written, 2 an engine cannot run.",
    )
    survey.set_defaults(run=_survey)
    survey.add_argument("engines", nargs="*", metavar="ENGINE", help=_SURVEYED)
    survey.add_argument("--examples", type=count, default=DEFAULT_EXAMPLES, metavar="N")
    survey.add_argument("--seeds", type=count, default=5, metavar="N", help="default: %(default)s")
    survey.add_argument("-o", "--output", type=Path, metavar="FILE", help="the page, not printed")
    survey.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    survey.add_argument("--scripts", type=Path, default=FINDINGS_FOLDER / "survey", metavar="DIR")
    add_isolation(survey)


def _survey(options: argparse.Namespace) -> int:
    from parity.campaign.survey import markdown, survey
    from parity.cli.progress import Progress
    from parity.engines.builtin import BUILT_IN

    specs = options.engines or sorted(set(BUILT_IN) - {"exact"})
    check_file("--json", options.json)
    check_file("-o", options.output)
    check_folder("--scripts", options.scripts)
    progress = Progress(len(specs), sys.stderr)
    result = survey(
        specs,
        options.examples,
        options.seeds,
        options.scripts,
        progress.step,
        options.isolate,
        limits_of(options),
    )
    progress.end()
    named = f" {' '.join(options.engines)}" if options.engines else ""
    command = f"parity survey{named} --examples {options.examples} --seeds {options.seeds}"
    page = markdown(result, datetime.date.today(), command)
    if options.output:
        write_text("-o", options.output, page)
    else:
        print(page)
    write_json("--json", options.json, {"engines": [one.to_json() for one in result]})
    failed = [one.error for one in result if one.engine is None]
    for error in failed:
        print(f"parity: error: {error}", file=sys.stderr)
    return CANNOT_RUN if failed else PARITY
