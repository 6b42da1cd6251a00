"""The commands of campaigns: ``parity fuzz``, ``replay``, ``minimize`` and ``promote``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity._util.escape import one_line
from parity._util.process import INTERRUPTED, uninterrupted
from parity.campaign.errors import CampaignError
from parity.campaign.paths import CORPUS, REGRESSIONS
from parity.cli.options import (
    add_engines,
    add_isolation,
    check_file,
    check_html,
    count,
    deliver,
    duration,
    limits_of,
    write_html,
    write_json,
    write_text,
)
from parity.engines.builtin import BUILT_IN

if TYPE_CHECKING:
    from parity.bench.report.findings import FindingsPage
    from parity.campaign.campaign import Outcome
    from parity.campaign.corpus import Corpus
    from parity.campaign.executors import Executor
    from parity.campaign.records import FindingData
    from parity.diagnose.triage import Triage
    from parity.engines.base import Engine
    from parity.engines.runner import Runner

#: Programs per shard; fewer for an isolated engine, which is slower.
SHARD, ISOLATED_SHARD = 1000, 250
#: The length of an engine's name up to which an error message repeats it.
_SHOWN = 200


def add_fuzz(commands: Any) -> None:
    fuzz = commands.add_parser(
        "fuzz",
        help="run programs for hours on many processes or machines, and lose nothing",
        description="The same command goes on where it was, also after it was killed. Without "
        "--time and --programs it runs until Ctrl-C. Exit status: 0 no finding, 1 findings, "
        "2 cannot run, 130 interrupted: what was found so far is reported.",
    )
    fuzz.set_defaults(run=_fuzz)
    add_engines(fuzz)
    ends = fuzz.add_mutually_exclusive_group()
    ends.add_argument("--time", type=duration, metavar="T", help="of this run: 30s, 10m, 2h")
    ends.add_argument(
        "--programs", type=count, metavar="N", help="of the campaign, earlier runs included"
    )
    fuzz.add_argument(
        "--workers", type=count, metavar="N", help="processes, default: number of cores"
    )
    fuzz.add_argument(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler whose workers are used: tcp://..."
    )
    fuzz.add_argument(
        "--corpus",
        default=str(CORPUS),
        metavar="DIR-or-URL",
        help="where everything is recorded, a folder or a URL of fsspec; default: %(default)s",
    )
    fuzz.add_argument("--seed", metavar="S", help="default: that of the corpus, or 0")
    fuzz.add_argument(
        "--shard",
        type=count,
        metavar="N",
        help=f"programs that a worker runs at a time in a new corpus, default: {SHARD}, "
        f"{ISOLATED_SHARD} if the engine is isolated",
    )
    fuzz.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    fuzz.add_argument(
        "--status",
        type=Path,
        metavar="FILE",
        help="where the status for monitoring is written every few seconds, as JSON; default: "
        "status.json in the corpus",
    )
    fuzz.add_argument("--summary", type=Path, metavar="FILE.md", help="write it as Markdown")
    fuzz.add_argument(
        "--html",
        type=Path,
        metavar="DIR",
        help="write findings.html there, a page without network, with the history of the folder",
    )
    fuzz.add_argument(
        "--database",
        metavar="URL",
        help="redis://host:port, where Hypothesis shares failing programs; default: .hypothesis",
    )
    add_isolation(fuzz)


def _fuzz(options: argparse.Namespace) -> int:
    from parity.campaign.campaign import Campaign, Plan
    from parity.campaign.corpus import Corpus
    from parity.campaign.database import check_database  # only this command needs all this
    from parity.campaign.lock import Lock
    from parity.campaign.monitor import StatusFile
    from parity.campaign.storage import open_store
    from parity.campaign.summary import display_for, markdown, text, verdict

    check_file("--json", options.json)
    check_file("--summary", options.summary)
    check_file("--status", options.status)
    check_html(options.html)
    if options.database:
        check_database(options.database)
    pair = _load_engines(options, options.engine)
    executor = _executor(options)
    display = display_for(sys.stderr)
    store = open_store(options.corpus)
    with Lock(store, display.note) as lock:
        corpus = Corpus(lock.store, display.note)
        plan = Plan(
            options.engine,
            options.reference,
            options.seed or (corpus.identity.seed if corpus.identity else "0"),
            options.shard or (ISOLATED_SHARD if pair[0].isolated else SHARD),
            options.isolate,
            limits_of(options),
            options.programs,
            options.time,
            options.database,
        )
        file = StatusFile(corpus.store, display.note, options.status)
        outcome = Campaign(plan, corpus, executor, pair, display, file).run()
    if not outcome.total.programs and not outcome.interrupted:
        raise CampaignError("no program was run, so nothing is known: give --time more")
    deliver(
        lambda: write_text("--summary", options.summary, markdown(outcome, store.where)),
        lambda: write_json("--json", options.json, outcome.to_json()),
        lambda: write_html(options.html, lambda: _page(outcome)),
        lambda: print(text(outcome, store.where)),
        lambda: print(verdict(outcome), flush=True),
    )
    if outcome.interrupted:
        return INTERRUPTED
    return 1 if outcome.findings else 0


def _page(outcome: Outcome) -> FindingsPage:
    from parity.bench.report.findings import page_of_campaign

    return page_of_campaign(outcome)


def _load_engines(options: argparse.Namespace, engine: str) -> tuple[Runner, Engine]:
    """Load and check the engine and the reference that the options name."""
    from parity.engines.open import open_engines

    return open_engines(engine, options.reference, options.isolate, limits_of(options))


def _executor(options: argparse.Namespace) -> Executor:
    from parity.campaign.executors import Cluster, Processes

    if options.scheduler and options.workers:
        raise CampaignError("--workers is for this machine: a Dask scheduler has its own")
    if options.scheduler:
        return Cluster(options.scheduler)
    return Processes(options.workers or os.cpu_count() or 1)


def add_corpus_commands(commands: Any) -> None:
    replay = commands.add_parser(
        "replay",
        help="run again what a campaign found and kept",
        description="Says which findings are fixed. Exit status: 0 none fails, 1 some do, "
        "2 cannot run.",
    )
    replay.set_defaults(run=_replay)
    replay.add_argument("corpus", metavar="CORPUS", help="a folder or a URL of fsspec")
    replay.add_argument(
        "--forget-fixed", action="store_true", help="move fixed findings to the folder fixed"
    )
    minimize = commands.add_parser(
        "minimize",
        help="reduce the findings of a campaign again, and merge those that become one",
        description="Exit status: 0 done, 2 cannot run.",
    )
    minimize.set_defaults(run=_minimize)
    minimize.add_argument("corpus", metavar="CORPUS-or-FILE", help="or one finding of a corpus")
    for command in (replay, minimize):
        command.add_argument(
            "--engine",
            metavar="SPEC",
            help="needed unless the engine of the corpus is built in: code that only a corpus "
            "names is not run",
        )
        command.add_argument("--reference", default="torch", metavar="SPEC", help="default: torch")
        add_isolation(command)
    promote = commands.add_parser(
        "promote",
        help="make findings regression tests, which pytest --pyargs parity runs",
        description="Exit status: 0 done, 2 cannot run.",
    )
    promote.set_defaults(run=_promote)
    promote.add_argument("files", nargs="+", type=Path, metavar="FINDING.json")
    promote.add_argument(
        "-o",
        "--output",
        type=Path,
        default=REGRESSIONS,
        metavar="DIR",
        help="the folder of the project's parity_regressions, default: %(default)s",
    )


def note(text: str) -> None:
    print(f"parity: {one_line(text)}", file=sys.stderr)


@contextlib.contextmanager
def opened(where: str, change: bool) -> Iterator[Corpus]:
    """Open a corpus, and lock it first if it is to be changed."""
    from parity.campaign.corpus import CAMPAIGN, Corpus
    from parity.campaign.lock import Lock
    from parity.campaign.storage import open_store

    store = open_store(where)
    if store.read(CAMPAIGN) is None:
        raise CampaignError(f"{where} is no corpus: parity fuzz makes one")
    with Lock(store, note) if change else contextlib.nullcontext() as lock:
        yield Corpus(lock.store if lock else store, note)


def engines_of(options: argparse.Namespace, corpus: Corpus, command: str) -> tuple[Runner, Engine]:
    """Load the engine of the command line, or a built-in one that the corpus names.

    Any other name in a corpus is a file or a module, which loading would execute.
    """
    assert corpus.identity is not None
    named = corpus.identity.spec
    if options.engine is None and named not in BUILT_IN:
        spec = shlex.quote(named) if named.isprintable() and len(named) <= _SHOWN else "SPEC"
        raise CampaignError(
            f"the engine of {options.corpus} is code, which is not run because a corpus names it: "
            f"parity {command} {shlex.quote(options.corpus)} --engine {spec}"
        )
    return _load_engines(options, options.engine or named)


def _replay(options: argparse.Namespace) -> int:
    from parity.campaign.replay import replay
    from parity.oracle.verdict import plural, verdict_line, verdict_of

    fixed, failing, kept, not_run, interrupted = [], 0, 0, 0, False
    with opened(options.corpus, options.forget_fixed) as corpus:
        try:
            for one in replay(corpus, *engines_of(options, corpus, "replay")):
                kept += one.finding is None
                failing += one.now is not None
                not_run += bool(one.not_run)
                if one.fixed:
                    fixed.append(one.name)
                if one.finding is not None or one.now is not None:
                    print(one, flush=True)
        except KeyboardInterrupt:
            interrupted = True
        for name in fixed if options.forget_fixed else ():
            with uninterrupted():
                corpus.forget(name)
    left = f", {not_run} not run" if not_run else ""
    if corpus.unreadable:
        first, *more = sorted(corpus.unreadable)
        others = f" and {len(more)} more" if more else ""
        raise CampaignError(f"{options.corpus}: {first}{others} cannot be read: mend or remove it")
    if not kept and not failing and not fixed and not interrupted:
        raise CampaignError(f"{options.corpus} has no finding and no kept case: nothing was run")
    counts = f"{len(fixed)} fixed, {failing} fail{left}; {plural(kept, 'kept case')}"
    print(verdict_line(verdict_of(bool(failing), interrupted), counts))
    if interrupted:
        return INTERRUPTED
    return 1 if failing else 0


def _minimize(options: argparse.Namespace) -> int:
    from parity.diagnose.triage import Triage

    file = Path(options.corpus)
    single = file.suffix == ".json" and "://" not in options.corpus
    if single and not (file.parent.parent / "campaign.json").is_file():
        return _minimize_file(options, file)
    with opened(str(file.parent.parent) if single else options.corpus, True) as corpus:
        found = file.parent.name == "findings" and file.stem in corpus.findings
        if single and not found:
            raise CampaignError(f"{file} is no finding of the corpus {corpus.store.where}")
        triage = Triage(*engines_of(options, corpus, "minimize"))
        for name in [file.stem] if single else list(corpus.findings):
            small = _minimized(name, corpus.findings[name], triage)
            if small is not None:
                with uninterrupted():  # it changes several files
                    corpus.replace(name, *small)
        print(one_line(f"{len(corpus.findings)} findings in {corpus.store.where}"))
    return 0


def _minimize_file(options: argparse.Namespace, file: Path) -> int:
    from parity.campaign.regressions import read_finding
    from parity.campaign.storage import Folder
    from parity.diagnose.triage import Triage

    finding = read_finding(file)
    if not options.engine:
        raise CampaignError(f"{file} lies in no corpus: name its engine with --engine")
    small = _minimized(file.stem, finding, Triage(*_load_engines(options, options.engine)))
    if small is not None:
        data = json.dumps(small[0], indent=1, allow_nan=False) + "\n"
        Folder(file.parent).write(file.name, data.encode())
    return 0


def _minimized(name: str, finding: FindingData, triage: Triage) -> tuple[FindingData, str] | None:
    """Return the smaller finding and its script, or None if it stays; print the result."""
    from parity.campaign.records import identity
    from parity.campaign.replay import minimized

    smaller = minimized(finding, triage)
    if smaller is None:
        print(one_line(f"left as it is, no longer a finding of kind {finding['kind']}: {name}"))
        return None
    small, _ = smaller
    if identity(small) == identity(finding) and small["program"] == finding["program"]:
        return None
    print(one_line(f"{name}: {finding['statements']} statements, now {small['statements']}"))
    return smaller


def _promote(options: argparse.Namespace) -> int:
    from parity.campaign.regressions import promote, read_finding

    findings = {file: read_finding(file) for file in options.files}  # all, before one is written
    probes = [file for file, finding in findings.items() if finding["probe"]]
    for file in probes:
        text = f"{file} is of the probe {findings[file]['probe']}: pytest --pyargs parity runs it"
        if len(probes) == len(findings):
            raise CampaignError(f"{text} anyway")
        note(f"{text} anyway, and it is left out")
    after_others = [file for file, finding in findings.items() if finding.get("before")]
    for file in after_others:
        text = f"{file} differs only after other programs: parity replay runs them first"
        if len(after_others) == len(findings):
            raise CampaignError(text)
        note(f"{text}; it is left out")
    for file, finding in findings.items():
        if file not in probes and file not in after_others:
            print(one_line(f"{promote(finding, options.output)} written"))
    return 0
