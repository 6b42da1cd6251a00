"""The commands that keep corpora in order, and that find when a fault began."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parity.cli.campaign import engines_of, note, opened
from parity.cli.options import (
    add_engines,
    add_isolation,
    add_limits,
    check_file,
    limits_of,
    write_json,
)
from parity.engines.builtin import BUILT_IN


def add_hygiene(commands: Any) -> None:
    merge = commands.add_parser(
        "merge",
        help="unite the corpora of several campaigns in a new one",
        description="Counts are added, and a finding that several have is one. parity fuzz "
        "--corpus NEW goes on with programs that none of them has run. Exit status: 0 done, "
        "2 cannot run.",
    )
    merge.set_defaults(run=_merge)
    merge.add_argument("corpora", nargs="+", metavar="CORPUS", help="folders or URLs of fsspec")
    merge.add_argument(
        "-o", "--output", required=True, metavar="NEW", help="a new folder, or a URL"
    )
    merge.add_argument(
        "--engine",
        metavar="SPEC",
        help="leave out kept cases that add no coverage, as prune does; default: that of the "
        "corpora if it is built in",
    )
    prune = commands.add_parser(
        "prune",
        help="remove kept cases of a campaign without loss of coverage",
        description="Keeps the fewest cases that have the coverage of all. Findings stay. Exit "
        "status: 0 done, 2 cannot run.",
    )
    prune.set_defaults(run=_prune, reference="torch")
    prune.add_argument("corpus", metavar="CORPUS", help="a folder or a URL of fsspec")
    prune.add_argument("--engine", metavar="SPEC", help="default: that of the corpus")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    add_isolation(prune)
    _add_bisect(commands)


def _add_bisect(commands: Any) -> None:
    bisect = commands.add_parser(
        "bisect",
        help="find the first revision of an engine on which a finding occurs",
        description="Checks revisions out into a temporary git worktree, and runs the program of "
        "the finding there. What is checked out now stays as it is. Exit status: 0 found, 1 only "
        "revisions that cannot be tried are left, 2 cannot run.",
    )
    bisect.set_defaults(run=_bisect)
    bisect.add_argument("finding", type=Path, metavar="FINDING.json")
    add_engines(bisect)
    bisect.add_argument("--good", required=True, metavar="REV", help="where it does not occur")
    bisect.add_argument("--bad", required=True, metavar="REV", help="where it occurs")
    bisect.add_argument(
        "--repo", type=Path, default=Path(), metavar="DIR", help="default: this folder"
    )
    bisect.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    add_limits(bisect)


def _merge(options: argparse.Namespace) -> int:
    from parity.campaign.merge import check_target, merge, read_sources
    from parity.campaign.storage import open_store
    from parity.engines.open import open_engines

    target = open_store(options.output)
    check_target(target)
    sources = read_sources([open_store(where) for where in options.corpora], note)
    own = sources[0][1].spec
    spec = options.engine or (own if own in BUILT_IN else "")  # no file is run since data name it
    engine = open_engines(spec, check=False)[0] if spec else None
    corpus = merge(sources, target, engine)
    assert corpus.identity is not None
    print(
        f"{options.output}: {len(sources)} corpora, {corpus.total().programs:,} programs, "
        f"{len(corpus.findings)} findings, {len(corpus.kept)} kept cases, "
        f"seed {corpus.identity.seed}"
    )
    return 0


def _prune(options: argparse.Namespace) -> int:
    from parity.campaign.prune import check_engine, cover

    with opened(options.corpus, not options.dry_run) as corpus:
        engine, _ = engines_of(options, corpus, "prune")
        check_engine(corpus, engine)
        chosen = cover(corpus.kept, engine)
        before = len(corpus.kept)
        if not options.dry_run:
            corpus.remove_kept(chosen.remove)
    said = "would be kept" if options.dry_run else "are kept"
    print(
        f"{len(chosen.keep)} of {before} cases {said}; "
        f"coverage is the same: {chosen.features} features"
    )
    return 0


def _bisect(options: argparse.Namespace) -> int:
    from parity.campaign.bisect import Repository, Trial, bisect
    from parity.campaign.regressions import read_finding

    check_file("--json", options.json)
    finding = read_finding(options.finding)
    repository = Repository(options.repo)
    limits = limits_of(options)
    trial = Trial(finding, options.engine, options.reference, limits, repository.folder)
    result = bisect(repository, trial, options.good, options.bad, lambda t: print(t, flush=True))
    write_json("--json", options.json, result.to_json())
    if result.first is not None:
        print(f"first bad revision: {result.first.revision} {result.first.subject}")
        return 0
    print("the first bad revision is one of these, of which only the first could be tried:")
    for step in result.left:
        print(f"  {step}")
    return 1
