"""The ``parity`` command: thin, over the functions that pytest uses as well."""

from __future__ import annotations

import argparse
import datetime
import io
import os
import sys
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from parity import __version__
from parity._util.errors import UsageError
from parity._util.process import INTERRUPTED, first_interrupt
from parity.campaign.baseline import Baseline, check_proposal, load_baseline, propose
from parity.campaign.describe import describe
from parity.campaign.result import SearchResult
from parity.campaign.search import search
from parity.cli import report
from parity.cli.bench import add_bench
from parity.cli.corpus import add_corpus_commands
from parity.cli.fuzz import add_fuzz
from parity.cli.options import (
    add_engines,
    add_isolation,
    check_file,
    check_folder,
    count,
    limits_of,
    write_json,
    write_text,
)
from parity.engines.base import label
from parity.engines.isolation.worker import limits_memory
from parity.engines.load import BUILT_IN
from parity.engines.open import open_engines
from parity.engines.quirks.table import descriptions
from parity.engines.selfcheck import check_adapter
from parity.engines.template import write_adapter
from parity.language.table import OPS
from parity.oracle.adjudicate import no_findings

PARITY, FINDINGS, CANNOT_RUN = 0, 1, 2
DEFAULT_EXAMPLES = 2000
DEFAULT_FOLDER = Path("parity-findings")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the status is 0 (parity), 1 (findings), 2 (cannot run), 130 (Ctrl-C)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack letters that files have
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"parity: error: {error}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        print("parity: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.filename is not None:
            raise
        # Standard output, on a full disk or after ``| head``; what is left must not be tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"parity: error: the output cannot be written: {error.strerror}", file=sys.stderr)
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
        description="Exit status: 0 parity, 1 findings, 2 cannot run, 130 interrupted: what was "
        "found so far is reported.",
    )
    check.set_defaults(run=_check)
    add_engines(check)
    add_isolation(check)
    check.add_argument(
        "--examples",
        type=count,
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
    check.add_argument(
        "--exposure",
        action="store_true",
        help="show what the programs exercised and what they did not, also in the JSON",
    )
    check.add_argument(
        "--known", type=Path, metavar="FILE", help="TOML list of findings that are accepted for now"
    )
    check.add_argument(
        "--propose-known",
        type=Path,
        metavar="FILE",
        help="write the findings as proposals for that list to a new file",
    )
    adapter = commands.add_parser("adapter", help="write the start of an adapter to a new file")
    adapter.set_defaults(run=_adapter)
    adapter.add_argument("file", type=Path, metavar="NEW.py")
    _add_score(commands)
    _add_survey(commands)
    add_bench(commands)
    report.add_parser(commands)
    add_fuzz(commands)
    add_corpus_commands(commands)
    return parser


_SURVEYED = "default: the built-in ones; ENGINE@N runs N examples a seed on a slow one"


def _add_survey(commands: Any) -> None:
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
    survey.add_argument("--scripts", type=Path, default=DEFAULT_FOLDER / "survey", metavar="DIR")
    add_isolation(survey)


def _survey(options: argparse.Namespace) -> int:
    from parity.campaign.survey import markdown, survey  # only this command needs it
    from parity.cli.progress import Progress

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


def _add_score(commands: Any) -> None:
    score = commands.add_parser(
        "score",
        help="measure which engines that are wrong on purpose are found, and how soon",
        description="Prints Markdown. Exit status: 0 every defect was found with every seed, "
        "1 not, 2 cannot run, 130 interrupted: what was measured is printed.",
    )
    score.set_defaults(run=_score)
    score.add_argument("--seeds", type=count, default=20, metavar="N", help="default: %(default)s")
    score.add_argument("--defects", metavar="a,b", help="only these defects")
    score.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="processes, default: %(default)s"
    )
    score.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")


def _score(options: argparse.Namespace) -> int:
    from parity.campaign.score import (  # import all defects: only this command needs them
        markdown,
        score,
    )
    from parity.cli.progress import Progress

    defects = _chosen_defects(options.defects)
    check_file("--json", options.json)
    progress = Progress(options.seeds * len(defects), sys.stderr)
    result = score(
        options.seeds, DEFAULT_EXAMPLES, defects, options.jobs, lambda t: progress.step(t.defect)
    )
    progress.end()
    print(markdown(result))
    write_json("--json", options.json, result.to_json())
    if not result.complete:
        return INTERRUPTED
    return PARITY if result.all_found else FINDINGS


def _chosen_defects(text: str | None) -> dict[str, Any]:
    from parity.diagnose.defects import DEFECTS

    if text is None:
        return dict(DEFECTS)
    return {name: DEFECTS[name] for name in _listed("--defects", text, DEFECTS, "a defect")}


def _listed(option: str, text: str, known: Collection[str], what: str) -> tuple[str, ...]:
    """The names of a list with commas, all of them ``known``."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        wrong = f"{unknown[0]!r} is not {what}" if unknown else f"names no {what.split()[1]}"
        raise UsageError(f"{option} {wrong}; there are {', '.join(known)}")
    return names


def _adapter(options: argparse.Namespace) -> int:
    print(write_adapter(options.file))
    return PARITY


def _check(options: argparse.Namespace) -> int:
    limits = limits_of(options)
    engine, reference = open_engines(
        options.engine, options.reference, options.isolate, limits, check=False
    )
    if engine.isolated and not limits_memory():
        print("parity: memory is not limited on this system", file=sys.stderr)
    ops = _chosen_ops(options.ops, set(engine.ops))
    check_file("--json", options.json)
    check_folder("--findings", options.findings)
    known = load_baseline(options.known) if options.known else None
    if options.propose_known:
        check_proposal(options.propose_known)
        known = known or Baseline()
    check_adapter(engine)
    stop = threading.Event()

    def ending() -> None:
        stop.set()
        print("parity: ending; Ctrl-C again quits at once", file=sys.stderr)

    try:
        with first_interrupt(ending):
            result = search(
                engine,
                reference,
                options.examples,
                options.seed,
                ops,
                options.findings,
                options.exposure,
                known,
                stop.is_set,
            )
    except OSError as error:
        raise UsageError(f"findings cannot be written: {error}") from error
    print(_text(result))
    write_json("--json", options.json, result.to_json())
    if options.propose_known:
        count = propose(
            options.propose_known,
            ((r.finding.kind, r.program, r.probe_name) for r in result.reported),
        )
        print(f"{count} proposals written to {options.propose_known}" if count else "no proposals")
    if result.interrupted:
        return INTERRUPTED
    return FINDINGS if result.fails else PARITY


def _chosen_ops(text: str | None, of_engine: set[str]) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = _listed("--ops", text, OPS, "an operation")
    missing = [name for name in names if name not in of_engine]
    if missing:
        raise UsageError(f"--ops: the engine does not have {', '.join(missing)}")
    return names


def _text(result: SearchResult) -> str:
    """The result as a person reads it."""
    lines = [
        f"{label(result.engine)} against {label(result.reference)}: {result.programs} programs, "
        f"seed {result.seed}, {result.seconds:.1f} s"
    ]
    if result.untested:
        lines.append(f"not tested, since the engine lacks it: {', '.join(result.untested)}")
    if result.unsupported:
        ended = result.unsupported.total()
        lines.append(f"{ended} programs ended early, at what the adapter does not support")
    lines += [f"quirk {name}: {text}" for name, text in descriptions(result.engine.quirks).items()]
    for reported in result.reported:
        lines.append("\n" + describe(reported, result.engine, result.reference))
    if result.ill_conditioned:
        lines.append("\n" + no_findings(result.ill_conditioned))
    lines += [f"\nknown, found {n} times: {entry}" for entry, n in result.known.items()]
    lines += ["\n" + entry.stale() for entry in result.stale]
    if result.interrupted:
        lines.append("\ninterrupted: what was found so far")
    if result.fails:
        count = f"{result.failing} of {result.programs} programs differ"
        found = len(result.reported)
        lines.append(f"\n{found} finding{'s' if found != 1 else ''}; {count}")
    else:
        known = " but what is known" if any(result.known.values()) else ""
        lines.append(f"parity: no difference found{known}")
    if result.exposure is not None:
        lines.append("\n" + result.exposure.text())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
