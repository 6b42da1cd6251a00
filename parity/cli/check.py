"""The command ``parity check``: runs random programs on an engine and on PyTorch."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.process import INTERRUPTED, first_interrupt
from parity._util.style import style_for
from parity.campaign.first_look import look
from parity.campaign.paths import FINDINGS as FINDINGS_FOLDER
from parity.cli.live import Live
from parity.cli.options import (
    DEFAULT_EXAMPLES,
    FINDINGS,
    PARITY,
    add_engines,
    add_isolation,
    check_file,
    check_folder,
    check_html,
    chosen_ops,
    count,
    deliver,
    duration,
    limits_of,
    write_html,
    write_json,
)

if TYPE_CHECKING:
    from parity.bench.report.findings import FindingsPage
    from parity.campaign.baseline import Baseline
    from parity.campaign.jobs import Jobs
    from parity.campaign.result import SearchResult
    from parity.engines.base import Engine
    from parity.engines.runner import Runner


#: From so many seconds, or programs, on all cores are used: each process takes seconds to start.
_LONG, _MANY = 30.0, 20_000


def add_check(commands: Any) -> None:
    check = commands.add_parser(
        "check",
        help="run random programs on an engine and on PyTorch",
        description="Exit status: 0 parity, 1 findings, 2 cannot run, 130 interrupted: what was "
        "found so far is reported. The last line is the verdict, unless it cannot run.",
    )
    check.set_defaults(run=_check)
    add_engines(check)
    add_isolation(check)
    _add_budget(check)
    check.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    check.add_argument("--ops", metavar="a,b", help="only these operations")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    check.add_argument(
        "--findings",
        type=Path,
        metavar="DIR",
        help=f"where scripts are written, default: a folder for each engine in {FINDINGS_FOLDER}",
    )
    check.add_argument(
        "--coverage",
        "--exposure",
        action="store_true",
        help="show what the programs exercised and what they did not, also in the JSON",
    )
    check.add_argument(
        "--html",
        type=Path,
        metavar="DIR",
        help="write findings.html, a page without network, there",
    )
    check.add_argument("--verbose", "-v", action="store_true", help="list what was not tested, too")
    check.add_argument(
        "--baseline",
        "--known",
        type=Path,
        metavar="FILE",
        help="TOML list of findings that are accepted for now",
    )
    check.add_argument(
        "--propose-baseline",
        "--propose-known",
        type=Path,
        metavar="FILE",
        help="write the findings as proposals for that list to a new file",
    )


def _add_budget(check: argparse.ArgumentParser) -> None:
    """Add the options that say when a run ends."""
    budget = check.add_mutually_exclusive_group()
    budget.add_argument(
        "--examples", type=count, metavar="N", help=f"programs, default: {DEFAULT_EXAMPLES}"
    )
    budget.add_argument(
        "--time", type=duration, metavar="T", help="run programs for so long: 30s, 10m, 2h"
    )
    check.add_argument(
        "--jobs",
        type=count,
        metavar="N",
        help="processes that run programs, default: all cores for more than a few seconds; the "
        "report is the same for any number",
    )
    check.add_argument(
        "-x", "--first", action="store_true", help="end at the first fault, and report it alone"
    )


def _check(options: argparse.Namespace) -> int:
    from parity.engines.isolation.worker import limits_memory
    from parity.engines.open import open_reference, open_runner
    from parity.engines.selfcheck import check_adapter

    engine = open_runner(options.engine, options.reference, options.isolate, limits_of(options))
    # PyTorch is loaded later, as it takes seconds.
    reference = None if options.reference == "torch" else open_reference(options.reference, engine)
    if engine.isolated and not limits_memory():
        print("parity: memory is not limited on this system", file=sys.stderr)
    ops = chosen_ops(options.ops, set(engine.ops))
    check_file("--json", options.json)
    check_folder("--findings", options.findings or FINDINGS_FOLDER)
    check_html(options.html)
    check_adapter(engine)
    examples = options.examples or (None if options.time else DEFAULT_EXAMPLES)
    live = Live(sys.stderr, examples, options.time)
    baseline = _baseline(options)
    if reference is None:
        if baseline is None:
            look(engine, live, ops)
        reference = open_reference(options.reference, engine)
    try:
        result = _searched(options, engine, reference, examples, ops, baseline, live)
    finally:
        live.end()
    return _report(options, result)


def _baseline(options: argparse.Namespace) -> Baseline | None:
    """Return the findings that are accepted, once it is known that proposals can be written."""
    if not options.baseline and not options.propose_baseline:
        return None
    from parity.campaign.baseline import Baseline, check_proposal, load_baseline

    baseline = load_baseline(options.baseline) if options.baseline else Baseline()
    if options.propose_baseline:
        check_proposal(options.propose_baseline)
    return baseline


def _searched(
    options: argparse.Namespace,
    engine: Runner,
    reference: Engine,
    examples: int | None,
    ops: tuple[str, ...] | None,
    baseline: Baseline | None,
    live: Live,
) -> SearchResult:
    """Run the search; the first Ctrl-C ends it early."""
    from parity.campaign.scripts import own_folder
    from parity.campaign.search import search

    stop = threading.Event()
    jobs = _jobs(options, examples, ops)

    def ending() -> None:
        stop.set()
        with contextlib.suppress(OSError, RuntimeError):  # of a stream that is being written to
            print("parity: ending; Ctrl-C again quits at once", file=sys.stderr)

    with first_interrupt(ending):
        return search(
            engine,
            reference,
            examples,
            options.seed,
            ops,
            options.findings or own_folder(FINDINGS_FOLDER, engine),
            options.coverage or options.html is not None,
            baseline,
            stop.is_set,
            seconds=options.time or math.inf,
            first=options.first,
            watch=live,
            jobs=jobs,
        )


def _jobs(
    options: argparse.Namespace, examples: int | None, ops: tuple[str, ...] | None
) -> Jobs | None:
    """Return the processes that check programs; None if this one does it alone."""
    from parity.campaign.jobs import Jobs, Setting

    long = (options.time or 0) >= _LONG or (examples or 0) >= _MANY
    number = options.jobs or ((os.cpu_count() or 1) if long and not options.first else 1)
    if number == 1:
        return None
    sides = options.engine, options.reference, options.isolate
    return Jobs(number, Setting(*sides, limits_of(options), options.seed, ops))


def _page(result: SearchResult) -> FindingsPage:
    from parity.bench.report.findings import page_of_search

    return page_of_search(result)


def _report(options: argparse.Namespace, result: SearchResult) -> int:
    """Write and print the result, and return the status of the command."""
    from parity.campaign.baseline import propose

    def proposals() -> None:
        if options.propose_baseline:
            file, found = options.propose_baseline, result.findings
            count = propose(file, ((r.finding.kind, r.program, r.probe_name) for r in found))
            print(one_line(f"{count} proposals written to {file}") if count else "no proposals")

    def page() -> None:
        write_html(options.html, lambda: _page(result))
        if not options.coverage:
            result.coverage = None  # it was counted for the page

    deliver(
        page,
        lambda: write_json("--json", options.json, result.to_json()),
        lambda: print(result.text(style_for(sys.stdout), options.verbose)),
        proposals,
        lambda: print(f"\n{result.verdict_line()}", flush=True),
    )
    if result.unwritten:
        raise UsageError(f"findings cannot be written: {result.unwritten}")
    if result.interrupted:
        return INTERRUPTED
    return FINDINGS if result.fails else PARITY
