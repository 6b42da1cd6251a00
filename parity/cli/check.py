"""The command ``parity check``: runs random programs on an engine and on PyTorch."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from pathlib import Path
from typing import Any

from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.process import INTERRUPTED, first_interrupt
from parity.campaign.paths import FINDINGS as FINDINGS_FOLDER
from parity.cli.options import (
    DEFAULT_EXAMPLES,
    FINDINGS,
    PARITY,
    add_engines,
    add_isolation,
    check_file,
    check_folder,
    chosen_ops,
    count,
    deliver,
    limits_of,
    write_json,
)


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
    check.add_argument(
        "--examples", type=count, default=DEFAULT_EXAMPLES, metavar="N", help="default: %(default)s"
    )
    check.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    check.add_argument("--ops", metavar="a,b", help="only these operations")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    check.add_argument(
        "--findings",
        type=Path,
        default=FINDINGS_FOLDER,
        metavar="DIR",
        help="where scripts are written, default: %(default)s",
    )
    check.add_argument(
        "--coverage",
        "--exposure",
        action="store_true",
        help="show what the programs exercised and what they did not, also in the JSON",
    )
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


def _check(options: argparse.Namespace) -> int:
    from parity.campaign.baseline import Baseline, check_proposal, load_baseline, propose
    from parity.campaign.search import search
    from parity.engines.isolation.worker import limits_memory
    from parity.engines.open import open_engines
    from parity.engines.selfcheck import check_adapter

    limits = limits_of(options)
    engine, reference = open_engines(
        options.engine, options.reference, options.isolate, limits, check=False
    )
    if engine.isolated and not limits_memory():
        print("parity: memory is not limited on this system", file=sys.stderr)
    ops = chosen_ops(options.ops, set(engine.ops))
    check_file("--json", options.json)
    check_folder("--findings", options.findings)
    baseline = load_baseline(options.baseline) if options.baseline else None
    if options.propose_baseline:
        check_proposal(options.propose_baseline)
        baseline = baseline or Baseline()
    check_adapter(engine)
    stop = threading.Event()

    def ending() -> None:
        stop.set()
        with contextlib.suppress(OSError, RuntimeError):  # of a stream that is being written to
            print("parity: ending; Ctrl-C again quits at once", file=sys.stderr)

    with first_interrupt(ending):
        result = search(
            engine,
            reference,
            options.examples,
            options.seed,
            ops,
            options.findings,
            options.coverage,
            baseline,
            stop.is_set,
        )

    def proposals() -> None:
        if options.propose_baseline:
            file, found = options.propose_baseline, result.findings
            count = propose(file, ((r.finding.kind, r.program, r.probe_name) for r in found))
            print(one_line(f"{count} proposals written to {file}") if count else "no proposals")

    deliver(
        lambda: write_json("--json", options.json, result.to_json()),
        lambda: print(result.text()),
        proposals,
        lambda: print(f"\n{result.verdict_line()}", flush=True),
    )
    if result.unwritten:
        raise UsageError(f"findings cannot be written: {result.unwritten}")
    if result.interrupted:
        return INTERRUPTED
    return FINDINGS if result.fails else PARITY
