"""The commands ``parity bench``, which measures, and ``parity report`` on its result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.names import did_you_mean
from parity._util.process import INTERRUPTED
from parity.cli.options import check_file, count, write_json
from parity.cli.progress import Progress


def add_bench(commands: Any) -> None:
    bench = commands.add_parser(
        "bench",
        help="measure engines side by side, or two revisions of dezero",
        description="Times, growth, memory and the generator's speed. Exit status: 0 measured, "
        "1 a gradient is not PyTorch's or, with --base, a ratio is above the limit, 2 cannot "
        "run, 130 interrupted: what was measured is kept.",
    )
    bench.set_defaults(run=_bench)
    bench.add_argument(
        "--engines",
        default="dezero,torch",
        metavar="a,b",
        help="dezero, torch, mygrad, autograd, micrograd, jax or adapters (path/to/file.py:Class);"
        " torch and a NumPy baseline are always measured; default: %(default)s",
    )
    bench.add_argument("--quick", action="store_true", help="fewer cases, about a minute")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    bench.add_argument(
        "--threads", type=count, default=1, metavar="N", help="of the libraries, default: 1"
    )
    bench.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    bench.add_argument("--workloads", metavar="a,b", help="only these")
    bench.add_argument(
        "--parts", metavar="a,b", help="only these of times, lengths, memory, generator"
    )
    bench.add_argument(
        "--base", metavar="REV", help="compare dezero here with that revision of the repository"
    )
    bench.add_argument(
        "--limit",
        type=_above_zero,
        default=1.1,
        metavar="RATIO",
        help="with --base: status 1 where a ratio's interval lies above, default: %(default)g",
    )


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a ratio above 0")
    return number


def _bench(options: argparse.Namespace) -> int:
    check_file("--json", options.json)
    return _compare_revisions(options) if options.base is not None else _measure(options)


def _measure(options: argparse.Namespace) -> int:
    from parity.bench.client import WorkerError
    from parity.bench.session import Session
    from parity.bench.text import lines

    session = Session(_plan(options))
    try:
        session.start()
    except WorkerError as error:
        raise UsageError(f"--engines: {error}") from error
    progress = Progress(session.plan.steps(), sys.stderr)
    session.step = progress.step
    session.show = lambda part, row: _print(
        progress, lines(part, row, first=len(session.result[part]) == 1)
    )
    try:
        session.run()
    except KeyboardInterrupt:
        pass  # complete stays false
    except WorkerError as error:
        raise UsageError(f"the generator cannot be measured: {error}") from error
    finally:
        progress.end()
        result = session.end()
        write_json("--json", options.json, result)
    if not result["complete"]:
        return _say_interrupted(progress, options.json)
    for wrong in session.wrong:
        print(one_line(f"wrong: {wrong}"))
    _say_verdict(result)
    return 1 if session.wrong else 0


def _say_verdict(result: dict[str, Any]) -> None:
    """The first line of a report, and its warning about the load of the machine."""
    from parity.bench.report.results import from_json
    from parity.bench.report.speed import verdict
    from parity.bench.report.summary import busy

    results = from_json(result)
    print()
    for line in (*busy(results), verdict(results)):
        print(one_line(line))


def _say_interrupted(progress: Progress, file: Path | None) -> int:
    kept = one_line(f", they are in {file} (complete: false)") if file else ""
    made = f"{progress.done} of {progress.total} measurements were made"
    print(f"\ninterrupted: {made}{kept}", flush=True)
    return INTERRUPTED


def _print(progress: Progress, lines: Iterable[str]) -> None:
    progress.end()  # the bar is on the same terminal
    for line in lines:
        print(line, flush=True)


def _plan(options: argparse.Namespace) -> Any:
    from parity.bench.backends.libraries import BASELINE, REFERENCE, check_names
    from parity.bench.session import PARTS, Plan
    from parity.bench.workloads import WORKLOADS

    engines = [name for name in _names(options.engines) if name != BASELINE]
    if not engines:
        raise UsageError("--engines names no engine: use dezero,torch for example")
    if REFERENCE not in engines:
        engines.insert(min(1, len(engines)), REFERENCE)
    check_names(engines)
    names = _known("--workloads", options.workloads, tuple(WORKLOADS))
    return Plan(
        tuple(engines),
        tuple(WORKLOADS[name] for name in names),
        options.quick,
        options.threads,
        options.seed,
        _known("--parts", options.parts, PARTS),
    )


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _known(option: str, text: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a comma-separated list in the order of ``known``; all for None."""
    if text is None:
        return known
    names = _names(text)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        wrong = f"{unknown[0]!r} is not known" if unknown else "names nothing"
        hint = did_you_mean(unknown[0], known) if unknown else ""
        raise UsageError(f"{option} {wrong}: {hint}use {', '.join(known)}")
    return tuple(name for name in known if name in names)


def _compare_revisions(options: argparse.Namespace) -> int:
    from parity.bench.client import WorkerError
    from parity.bench.revisions import Comparison, cases, checked_out, compare, line
    from parity.bench.workloads import WORKLOADS

    names = _known("--workloads", options.workloads, tuple(WORKLOADS))
    workloads = tuple(WORKLOADS[name] for name in names)
    progress = Progress(len(cases(workloads, options.quick)), sys.stderr)
    comparison = Comparison(options.base, "", options.limit)

    def show(row: dict[str, Any]) -> None:
        _print(progress, [line(row, options.limit)])

    try:
        with checked_out(options.base, Path.cwd()) as sources:
            comparison.commit = sources.commit
            print(
                one_line(
                    f"dezero here against {options.base}: time here / time there (95 % interval)"
                )
            )
            compare(sources, workloads, comparison, options.quick, progress.step, show)
    except KeyboardInterrupt:
        pass  # complete stays false
    except WorkerError as error:
        raise UsageError(f"--base {options.base}: {error}") from error
    finally:
        progress.end()
        if options.json and comparison.commit:
            write_json("--json", options.json, comparison.to_json())
    if not comparison.complete:
        return _say_interrupted(progress, options.json)
    count = len(comparison.slower)
    print(f"{count} of {len(comparison.rows)} slower than {options.limit:g} times the base")
    return 1 if count else 0


def add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report",
        help="write what people read of a result of parity bench",
        description="Writes report.html, report.md and, where a ratio was measured, ratios.svg. "
        "Exit status: 0 written, 2 cannot run.",
    )
    report.set_defaults(run=_report)
    report.add_argument(
        "results",
        type=Path,
        nargs="+",
        metavar="RESULTS.json",
        help="of several, the newest is reported, and the others are its history",
    )
    report.add_argument(
        "--against",
        type=Path,
        metavar="OLDER.json",
        help="mark what changed since this result, default: the last one before, if there is one",
    )
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("parity-report"),
        metavar="DIR",
        help="a folder, made if it is missing, default: %(default)s",
    )


def _report(options: argparse.Namespace) -> int:
    from parity.bench.report.compare import compare
    from parity.bench.report.history import History
    from parity.bench.report.markdown import markdown
    from parity.bench.report.results import ReportError, load, require

    require()
    from parity.bench.report.charts import overview  # with the libraries of the extra
    from parity.bench.report.page import page
    from parity.bench.report.svg import standalone

    read = History.read(options.results)
    results, older = read.last, load(options.against) if options.against else read.previous
    comparison = compare(results, older) if older else None
    history = read if read.previous else None
    files = {
        "report.html": page(results, comparison, history),
        "report.md": markdown(results, comparison, history),
    }
    plot = overview(results)
    if plot:
        files["ratios.svg"] = standalone(plot.svg)
    folder = options.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
            print(one_line(folder / name))
    except OSError as error:
        raise ReportError(f"-o {folder}: {error.strerror or error}") from error
    return 0
