"""The command ``parity fuzz``: runs a campaign."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.campaign.errors import CampaignError
from parity.campaign.paths import CORPUS
from parity.cli.options import (
    add_engines,
    add_isolation,
    check_file,
    count,
    duration,
    limits_of,
    write_json,
    write_text,
)

if TYPE_CHECKING:
    from parity.campaign.executors import Executor
    from parity.engines.base import Engine
    from parity.engines.runner import Runner

#: Programs per shard; fewer for an isolated engine, which is slower.
SHARD, ISOLATED_SHARD = 1000, 250


def add_fuzz(commands: Any) -> None:
    fuzz = commands.add_parser(
        "fuzz",
        help="run programs for hours on many processes or machines, and lose nothing",
        description="The same command goes on where it was, also after it was killed. Without "
        "--time and --programs it runs until Ctrl-C. Exit status: 0 no finding, 1 findings, "
        "2 cannot run.",
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
    fuzz.add_argument("--summary", type=Path, metavar="FILE.md", help="write it as Markdown")
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
    from parity.campaign.storage import open_store
    from parity.campaign.summary import display_for, markdown, text

    check_file("--json", options.json)
    check_file("--summary", options.summary)
    if options.database:
        check_database(options.database)
    pair = load_engines(options, options.engine)
    executor = _executor(options)
    display = display_for(sys.stderr)
    store = open_store(options.corpus)
    with Lock(store, display.note):
        corpus = Corpus(store, display.note)
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
        outcome = Campaign(plan, corpus, executor, pair, display).run()
    if not outcome.total.programs and not outcome.interrupted:
        raise CampaignError("no program was run, so nothing is known: give --time more")
    print(text(outcome, store.where))
    write_text("--summary", options.summary, markdown(outcome, store.where))
    write_json("--json", options.json, outcome.to_json())
    return 1 if outcome.findings else 0


def load_engines(options: argparse.Namespace, engine: str) -> tuple[Runner, Engine]:
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
