"""The ``parity`` command: thin, over the functions that pytest uses as well."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from parity import __version__
from parity.engines.load import EngineError, load_pair
from parity.hunt import Hunt, describe, hunt, label
from parity.ops import OPS

PARITY, FINDINGS, CANNOT_RUN = 0, 1, 2
DEFAULT_EXAMPLES = 2000
ONE_THREAD = "OPENBLAS_NUM_THREADS"
DEFAULT_FOLDER = Path("parity-findings")


class UsageError(Exception):
    """A command cannot run; the message is one line that says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0 (parity), 1 (findings) or 2 (cannot run)."""
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except (EngineError, UsageError) as error:
        print(f"parity: error: {error}", file=sys.stderr)
        return CANNOT_RUN


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="parity", description="Finds programs on which an autograd engine and PyTorch differ."
    )
    parser.add_argument("--version", action="version", version=f"parity {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="run random programs on an engine and on PyTorch",
        description="Exit status: 0 parity, 1 findings, 2 cannot run.",
    )
    check.set_defaults(run=_check)
    check.add_argument(
        "--engine",
        required=True,
        metavar="SPEC",
        help="dezero, torch, exact, package.module:Class or path/to/file.py:Class",
    )
    check.add_argument("--reference", default="torch", metavar="SPEC", help="default: torch")
    check.add_argument(
        "--examples",
        type=_count,
        default=DEFAULT_EXAMPLES,
        metavar="N",
        help="default: %(default)s",
    )
    check.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    check.add_argument("--ops", metavar="a,b", help="only these operations")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    check.add_argument(
        "--findings",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="where scripts are written, default: %(default)s",
    )
    bench = commands.add_parser(
        "bench",
        help="time dezero beside PyTorch",
        description="Ratios of times, torch / dezero: above 1 dezero is faster.",
    )
    bench.set_defaults(run=_bench)
    bench.add_argument("--quick", action="store_true", help="a tenth of the time, wider intervals")
    bench.add_argument(
        "--memory", action="store_true", help="peak memory and growth instead of times"
    )
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    return parser


def _bench(options: argparse.Namespace) -> int:
    if os.environ.get(ONE_THREAD) != "1":
        # NumPy's BLAS reads this when it is loaded: start again with it.
        environment = {**os.environ, ONE_THREAD: "1", "MKL_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, "-m", "parity.cli", *sys.argv[1:]], env=environment
        ).returncode
    from parity.bench import measure, memory, workloads  # they import dezero: only this command

    if options.memory:
        peaks: list[Any] = []
        try:
            for line in memory.table(memory.noted(memory.peaks(), peaks)):
                print(line, flush=True)
        except RuntimeError as error:
            raise UsageError(f"--memory: {error}") from error
        return _written(options.json, {"peaks": [dataclasses.asdict(p) for p in peaks]})
    rows = []
    print(f"{'workload':14}{'shape':12}{'dtype':9}  torch / dezero  (middle half)")
    for row in measure.all_ratios(0.3 if options.quick else 3.0, workloads.WORKLOADS.values()):
        rows.append(dataclasses.asdict(row))
        print(
            f"{row.workload:14}{row.shape!s:12}{row.dtype:9}{row.ratio:10.2f}       "
            f"({row.low:.2f} to {row.high:.2f}), {row.pairs} pairs",
            flush=True,
        )
    return _written(options.json, {"ratios": rows})


def _written(path: Path | None, data: dict[str, Any]) -> int:
    """Write a result as JSON where it was asked for."""
    if path:
        try:
            path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n")
        except OSError as error:
            raise UsageError(f"--json: {error}") from error
    return PARITY


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of programs, 1 or more")
    return int(text)


def _check(options: argparse.Namespace) -> int:
    engine, reference = load_pair(options.engine, options.reference)
    ops = _chosen_ops(options.ops, set(engine.ops))
    if options.json and not options.json.resolve().parent.is_dir():
        raise UsageError(f"--json {options.json}: there is no folder {options.json.parent}")
    if options.json and options.json.is_dir():
        raise UsageError(f"--json {options.json} is a folder, not a file")
    try:
        result = hunt(engine, reference, options.examples, options.seed, ops, options.findings)
    except OSError as error:
        raise UsageError(f"findings cannot be written: {error}") from error
    print(_text(result))
    _written(options.json, result.to_json())
    return FINDINGS if result.reported else PARITY


def _chosen_ops(text: str | None, of_engine: set[str]) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in OPS]
    if unknown or not names:
        what = f"{unknown[0]!r} is not an operation" if unknown else "names no operation"
        raise UsageError(f"--ops {what}; there are {', '.join(OPS)}")
    missing = [name for name in names if name not in of_engine]
    if missing:
        raise UsageError(f"--ops: the engine does not have {', '.join(missing)}")
    return names


def _text(result: Hunt) -> str:
    """The result as a person reads it."""
    lines = [
        f"{label(result.engine)} against {label(result.reference)}: {result.programs} programs, "
        f"seed {result.seed}, {result.seconds:.1f} s"
    ]
    if result.untested:
        lines.append(f"not tested, since the engine lacks it: {', '.join(result.untested)}")
    if result.engine.quirks:
        lines.append(f"quirks: {', '.join(sorted(result.engine.quirks))}")
    for reported in result.reported:
        lines.append("\n" + describe(reported, result.engine, result.reference))
    if result.ill_conditioned:
        lines.append(
            f"\n{result.ill_conditioned} differences are no findings: rounding decides there"
        )
    if result.reported:
        count = f"{result.failing} of {result.programs} programs differ"
        lines.append(f"\n{len(result.reported)} findings; {count}")
    else:
        lines.append("parity: no difference found")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
