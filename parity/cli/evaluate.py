"""The commands on several engines: ``parity score``, of known defects, and ``parity survey``."""

from __future__ import annotations

import argparse
import datetime
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parity._util.errors import CANNOT_RUN
from parity._util.process import INTERRUPTED, first_interrupt
from parity.campaign.paths import FINDINGS as FINDINGS_FOLDER
from parity.cli.options import (
    DEFAULT_EXAMPLES,
    FINDINGS,
    PARITY,
    add_isolation,
    check_file,
    check_folder,
    count,
    deliver,
    limits_of,
    listed,
    write_json,
    write_text,
)
from parity.cli.progress import Progress


def add_score(commands: Any) -> None:
    score = commands.add_parser(
        "score",
        help="measure which engines that are wrong on purpose are found, and how soon",
        description="Prints Markdown. Exit status: 0 every defect was found with every seed, "
        "1 not, 2 cannot run, 130 interrupted: what was measured is printed.",
    )
    score.set_defaults(run=_score)
    score.add_argument("--seeds", type=count, default=20, metavar="N", help="default: %(default)s")
    what = score.add_mutually_exclusive_group()
    what.add_argument("--defects", metavar="a,b", help="only these defects")
    what.add_argument(
        "--combined",
        type=count,
        nargs="?",
        const=200,
        metavar="N",
        help="N engines with two to six faults each instead: how many faults are shown and named, "
        "by how many causes; default: %(const)s. Exit status 1: a fault is not shown, or a cause "
        "is about none",
    )
    what.add_argument(
        "--rows",
        type=count,
        nargs="?",
        const=100,
        metavar="N",
        help="six faults in each of N operations of the table instead: which are found with "
        "PyTorch, and which by the engine's own forward; default: %(const)s",
    )
    score.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="draws the engines of --combined, the operations of --rows",
    )
    score.add_argument(
        "--examples", type=count, default=DEFAULT_EXAMPLES, metavar="N", help="default: %(default)s"
    )
    score.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="processes, default: %(default)s"
    )
    score.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")


def _score(options: argparse.Namespace) -> int:
    check_file("--json", options.json)
    if options.rows is not None:
        return _rows(options)
    return _single(options) if options.combined is None else _combined(options)


def _rows(options: argparse.Namespace) -> int:
    from parity._util.decode import encode
    from parity.campaign.row_faults import drawn_rows, row_score

    names = drawn_rows(options.rows, options.seed)
    progress = Progress(len(names), sys.stderr)
    result = row_score(names, progress.step)
    progress.end()
    deliver(
        lambda: write_json("--json", options.json, encode(result)),
        lambda: print(result.markdown(), flush=True),
    )
    return PARITY if result.with_reference == result.possible else FINDINGS


def _single(options: argparse.Namespace) -> int:
    from parity.campaign.score import markdown, score  # these import all defects
    from parity.diagnose.defects import DEFECTS

    names: Iterable[str] = DEFECTS
    if options.defects is not None:
        names = listed("--defects", options.defects, DEFECTS, "a defect")
    defects = {name: DEFECTS[name] for name in names}
    progress = Progress(options.seeds * len(defects), sys.stderr)
    result = score(
        options.seeds, options.examples, defects, options.jobs, lambda t: progress.step(t.defect)
    )
    progress.end()
    deliver(
        lambda: write_json("--json", options.json, result.to_json()),
        lambda: print(markdown(result), flush=True),
    )
    if not result.complete:
        return INTERRUPTED
    return PARITY if result.all_found else FINDINGS


def _combined(options: argparse.Namespace) -> int:
    from parity.campaign.combined import combined_score, markdown

    progress = Progress(options.combined, sys.stderr)
    result = combined_score(
        options.combined,
        options.examples,
        options.seed,
        options.jobs,
        lambda engine: progress.step(f"engine {engine.number}"),
    )
    progress.end()
    deliver(
        lambda: write_json("--json", options.json, result.to_json()),
        lambda: print(markdown(result), flush=True),
    )
    if not result.complete:
        return INTERRUPTED
    return PARITY if result.all_shown else FINDINGS


def add_survey(commands: Any) -> None:
    survey = commands.add_parser(
        "survey",
        help="what a set of engines gets wrong, on one page",
        description="Writes Markdown. Exit status: 0 the page was written, 2 an engine cannot run, "
        "130 interrupted: the page has what was found so far.",
    )
    survey.set_defaults(run=_survey)
    survey.add_argument(
        "engines",
        nargs="*",
        metavar="ENGINE",
        help="default: the built-in ones; ENGINE@N runs N examples a seed on a slow one",
    )
    survey.add_argument("--examples", type=count, default=DEFAULT_EXAMPLES, metavar="N")
    survey.add_argument("--seeds", type=count, default=5, metavar="N", help="default: %(default)s")
    survey.add_argument("-o", "--output", type=Path, metavar="FILE", help="the page, not printed")
    survey.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    survey.add_argument("--scripts", type=Path, default=FINDINGS_FOLDER / "survey", metavar="DIR")
    add_isolation(survey)


def _survey(options: argparse.Namespace) -> int:
    from parity.campaign.survey import markdown, survey
    from parity.engines.builtin import BUILT_IN, FRAMEWORKS
    from parity.oracle.verdict import plural, verdict_line, verdict_of

    specs = options.engines or sorted(set(BUILT_IN) - {"exact", "torch.func", *FRAMEWORKS})
    check_file("--json", options.json)
    check_file("-o", options.output)
    check_folder("--scripts", options.scripts)
    progress = Progress(len(specs), sys.stderr)
    stop = threading.Event()
    with first_interrupt(stop.set):
        result = survey(
            specs,
            options.examples,
            options.seeds,
            options.scripts,
            progress.step,
            options.isolate,
            limits_of(options),
            stop.is_set,
        )
    progress.end()
    named = f" {' '.join(options.engines)}" if options.engines else ""
    command = f"parity survey{named} --examples {options.examples} --seeds {options.seeds}"
    page = markdown(result, datetime.date.today(), command)
    if stop.is_set():
        page += "\n**Interrupted: engines, seeds or programs are missing.**\n"
    deliver(
        lambda: write_json("--json", options.json, {"engines": [one.to_json() for one in result]}),
        lambda: write_text("-o", options.output, page),
        lambda: None if options.output else print(page, flush=True),
    )
    failed = [one.error for one in result if one.engine is None]
    for error in failed:
        print(f"parity: error: {error}", file=sys.stderr)
    if failed and not stop.is_set():
        return CANNOT_RUN
    found = sum(len(one.entries) for one in result)
    counts = f"{plural(found, 'finding')} on {plural(len(result), 'engine')}"
    print(verdict_line(verdict_of(bool(found), stop.is_set()), counts))
    return INTERRUPTED if stop.is_set() else PARITY
