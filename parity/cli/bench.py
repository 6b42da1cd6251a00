"""The command ``parity bench``: prints tables and writes JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from parity._util.errors import UsageError
from parity._util.process import INTERRUPTED
from parity.cli.options import check_file, count, write_json

_OK, _WRONG = 0, 1


def add_bench(commands: Any) -> None:
    """Add ``bench`` to the subparsers of ``parity``."""
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
    from parity.cli.progress import Progress

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
        _say_interrupted(progress.done, progress.total, options.json)
        return INTERRUPTED
    for wrong in session.wrong:
        print(f"wrong: {wrong}")
    return _WRONG if session.wrong else _OK


def _say_interrupted(done: int, total: int, file: Path | None) -> None:
    kept = f", they are in {file} (complete: false)" if file else ""
    print(f"\ninterrupted: {done} of {total} measurements were made{kept}", flush=True)


def _print(progress: Any, lines: Any) -> None:
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
    for name in names:
        if name not in known:
            raise UsageError(f"{option} {name!r} is not known: use {', '.join(known)}")
    if not names:
        raise UsageError(f"{option} names nothing: use {', '.join(known)}")
    return tuple(name for name in known if name in names)


def _compare_revisions(options: argparse.Namespace) -> int:
    from parity.bench.client import WorkerError
    from parity.bench.revisions import Comparison, cases, checked_out, compare, line
    from parity.bench.workloads import WORKLOADS
    from parity.cli.progress import Progress

    names = _known("--workloads", options.workloads, tuple(WORKLOADS))
    workloads = tuple(WORKLOADS[name] for name in names)
    progress = Progress(len(cases(workloads, options.quick)), sys.stderr)
    comparison = Comparison(options.base, "", options.limit)

    def show(row: dict[str, Any]) -> None:
        _print(progress, [line(row, options.limit)])

    try:
        with checked_out(options.base, Path.cwd()) as sources:
            comparison.commit = sources.commit
            print(f"dezero here against {options.base}: time here / time there (95 % interval)")
            compare(sources, workloads, comparison, options.quick, progress.step, show)
    except KeyboardInterrupt:
        pass  # complete stays false
    except WorkerError as error:
        raise UsageError(f"--base {options.base}: {error}") from error
    finally:
        progress.end()
        if options.json and comparison.commit:
            write_json("--json", options.json, comparison.to_json())
    return _verdict(comparison, progress, options)


def _verdict(comparison: Any, progress: Any, options: argparse.Namespace) -> int:
    if not comparison.complete:
        _say_interrupted(progress.done, progress.total, options.json)
        return INTERRUPTED
    count = len(comparison.slower)
    print(f"{count} of {len(comparison.rows)} slower than {options.limit:g} times the base")
    return _WRONG if count else _OK
