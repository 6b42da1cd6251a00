"""The command ``parity report``: page, Markdown summary and plot of a benchmark result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

DEFAULT_FOLDER = Path("parity-report")


def add_report(commands: Any) -> None:
    """Add ``report`` to the subparsers of ``parity``."""
    report = commands.add_parser(
        "report",
        help="write what people read of a result of parity bench",
        description="Writes report.html, report.md and, where a ratio was measured, ratios.svg. "
        "Exit status: 0 written, 2 cannot run.",
    )
    report.set_defaults(run=run)
    report.add_argument("results", type=Path, metavar="RESULTS.json")
    report.add_argument(
        "--against", type=Path, metavar="OLDER.json", help="mark what changed since this result"
    )
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="a folder, made if it is missing, default: %(default)s",
    )


def run(options: argparse.Namespace) -> int:
    """Write the files, and print their paths. Raises ReportError if that fails."""
    from parity.bench.report.compare import compare
    from parity.bench.report.extra import require
    from parity.bench.report.markdown import markdown
    from parity.bench.report.results import load

    require()
    from parity.bench.report.charts import overview  # with the libraries of the extra
    from parity.bench.report.page import page
    from parity.bench.report.svg import standalone

    results = load(options.results)
    comparison = compare(results, load(options.against)) if options.against else None
    files = {"report.html": page(results, comparison), "report.md": markdown(results, comparison)}
    plot = overview(results)
    if plot:
        files["ratios.svg"] = standalone(plot.svg)
    _write(options.output, files)
    return 0


def _write(folder: Path, files: dict[str, str]) -> None:
    from parity.bench.report.results import ReportError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
            print(folder / name)
    except OSError as error:
        raise ReportError(f"-o {folder}: {error.strerror or error}") from error
