"""The command ``parity ops``: every operation of an engine alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parity.cli.options import (
    FINDINGS,
    PARITY,
    REFERENCE_HELP,
    add_isolation,
    check_file,
    chosen_ops,
    deliver,
    limits_of,
    write_json,
)
from parity.engines.builtin import BUILT_IN


def add_ops(commands: Any) -> None:
    ops = commands.add_parser(
        "ops",
        help="compare every operation of an engine alone",
        description="Prints a table of operations by condition, and the causes of what fails. Exit "
        "status: 0 all are right, 1 not, 2 cannot run. The last line is the verdict, unless it "
        "cannot run.",
    )
    ops.set_defaults(run=_ops)
    ops.add_argument(
        "engine",
        metavar="ENGINE",
        help=f"{', '.join(BUILT_IN)}, package.module:Class or path/to/file.py:Class",
    )
    ops.add_argument("--reference", default="torch", metavar="SPEC", help=REFERENCE_HELP)
    add_isolation(ops)
    ops.add_argument("--ops", metavar="a,b", help="only these operations")
    ops.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON")


def _ops(options: argparse.Namespace) -> int:
    from parity.campaign.operation_report import OperationReport
    from parity.diagnose.operations import measure_operations
    from parity.engines.open import open_engines

    check_file("--json", options.json)
    engine, reference = open_engines(
        options.engine, options.reference, options.isolate, limits_of(options)
    )
    try:
        names = chosen_ops(options.ops, engine.ops)
        report = OperationReport(measure_operations(engine, reference, names))
    finally:
        engine.close()
    deliver(
        lambda: write_json("--json", options.json, report.to_json()),
        lambda: print(report.text()),
        lambda: print(f"\n{report.verdict_line()}", flush=True),
    )
    return FINDINGS if report.fails else PARITY
