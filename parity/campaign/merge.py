"""``parity merge``: several corpora become one, with which a campaign can go on.

Counts of the sources are added, as one record of shards from 0 on. The new corpus has a seed of its
own, made of those of the sources: the shards that follow have programs that no source has run, and
none of them is left out. Findings keep the shard and program that first showed them in their
source, whose seed is added to them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from parity._util.decode import encode
from parity.campaign.corpus import CAMPAIGN, Corpus, Identity, KeptInput
from parity.campaign.errors import CampaignError
from parity.campaign.lock import LOCK
from parity.campaign.prune import check_engine, cover
from parity.campaign.records import FindingData, Record, digest, identity, names
from parity.campaign.storage import Folder, Store
from parity.engines.runner import AnyEngine
from parity.oracle.verdict import ILL_CONDITIONED

#: A record of one shard would be run again as long as it has fewer programs than a shard.
_LEAST = 2

#: A corpus to merge, and what it says of its campaign.
Source = tuple[Corpus, Identity]


def read_sources(stores: Sequence[Store], note: Callable[[str], None]) -> list[Source]:
    """Read the corpora to merge. Raises CampaignError if they do not belong together."""
    sources: list[Source] = []
    for store in stores:
        where = store.where
        if any(where == other.store.where for other, _ in sources):
            raise CampaignError(f"{where} is named twice: its counts would be added twice")
        if store.read(LOCK) is not None:
            note(f"{where} is in use, or was killed: what is recorded so far is merged")
        corpus = Corpus(store, note)
        if corpus.identity is None:
            raise CampaignError(f"{where} is no corpus: parity fuzz makes one")
        for other, known in sources[:1]:
            _compare(where, corpus.identity, other.store.where, known, note)
        for other, known in sources:
            if known.seed == corpus.identity.seed:
                both = f"{other.store.where} and {where} have the seed {known.seed}"
                note(f"{both}: programs that both have run count twice")
        sources.append((corpus, corpus.identity))
    return sources


def _compare(
    where: str, mine: Identity, other: str, known: Identity, note: Callable[[str], None]
) -> None:
    for what in ("engine", "reference"):
        ours, theirs = getattr(mine, what), getattr(known, what)
        if ours.partition(" ")[0] != theirs.partition(" ")[0]:
            raise CampaignError(
                f"{where} is for the {what} {ours}, and {other} for {theirs}: only corpora of one "
                "engine and one reference can be merged"
            )
        if ours != theirs:
            note(f"{where} was begun with {ours}, and {other} with {theirs}")


def check_target(store: Store) -> None:
    """Raise CampaignError if there is something where the merged corpus is to be written."""
    if isinstance(store, Folder):
        path = store.path
        taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
    else:
        taken = any(store.names(folder) for folder in (".", "shards", "findings", "cases"))
    if taken:
        raise CampaignError(f"{store.where} is there and not empty: name a new folder with -o")


def merge(sources: Sequence[Source], target: Store, engine: AnyEngine | None = None) -> Corpus:
    """Write the union of the sources, which are only read, and return it.

    With an ``engine``, which decodes kept inputs, those that add no coverage are left out.
    """
    for corpus, _ in sources:
        if _is_within(target, corpus.store):
            raise CampaignError(
                f"{target.where} is within {corpus.store.where}, which stays as it is"
            )
    kept = _kept(sources)
    if engine is not None:
        check_engine(sources[0][0], engine)
        kept = {name: kept[name] for name in sorted(cover(kept, engine).keep)}
    found, files = _findings(sources)
    files |= _others(sources)
    record = _record(sources, found)
    files[f"shards/0-{record.last}.json"] = _data(record.to_json())
    cases = {f"cases/{name}.json": _data(encode(one)) for name, one in kept.items()}
    _write(target, files, cases, _data(_identity(sources).to_json()))
    return Corpus(target)


def _is_within(target: Store, source: Store) -> bool:
    if not (isinstance(target, Folder) and isinstance(source, Folder)):
        return target.where.startswith(f"{source.where.rstrip('/')}/")
    return target.path.resolve().is_relative_to(source.path.resolve())


def _identity(sources: Sequence[Source]) -> Identity:
    """That of the first source, with a seed of its own."""
    seeds = [[known.seed, corpus.total().programs] for corpus, known in sources]
    return replace(sources[0][1], seed=f"merged-{digest(json.dumps(seeds))[:12]}")


def _record(sources: Sequence[Source], found: Mapping[str, FindingData]) -> Record:
    """The sum of all counts, as of more shards than any source or kept input names."""
    total = Record.total(corpus.total() for corpus, _ in sources)
    used = (one.shard for corpus, _ in sources for one in corpus.kept.values())
    needed = -(-total.programs // sources[0][1].size)
    shards = max(_LEAST, needed, total.last + 1, max(used, default=0) + 1)
    counts = Counter({name: finding["count"] for name, finding in found.items()})
    return replace(total, first=0, last=shards - 1, findings=counts)


def _kept(sources: Sequence[Source]) -> dict[str, KeptInput]:
    kept: dict[str, KeptInput] = {}
    for corpus, _ in sources:
        for name, one in corpus.kept.items():
            kept[name] = min(one, kept.get(name, one))
    return kept


def _findings(
    sources: Sequence[Source],
) -> tuple[dict[str, FindingData], dict[str, bytes]]:
    """The findings by name, each identity once, and the files of findings and scripts."""
    whole: dict[Any, tuple[FindingData, bytes | None]] = {}
    for corpus, known in sources:
        for name, finding in corpus.reported():
            mine = {"seed": known.seed, **finding}, corpus.store.read(f"scripts/{name}.py")
            key = identity(finding)
            if key in whole:
                count = whole[key][0]["count"] + finding["count"]
                first, script = min(whole[key], mine, key=_program)
                mine = {**first, "count": count}, script
            whole[key] = mine
    found: dict[str, FindingData] = {}
    files = {}
    for finding, script in whole.values():
        first_name, second = names(finding)
        name = second if first_name in found else first_name
        found[name] = {**finding, "script": f"scripts/{name}.py" if script else ""}
        files[f"findings/{name}.json"] = _data(found[name])
        if script:
            files[f"scripts/{name}.py"] = script
    return found, files


def _program(finding: tuple[FindingData, bytes | None]) -> int:
    return int(finding[0]["first_seen"]["program"])


def _others(sources: Sequence[Source]) -> dict[str, bytes]:
    """The files of fixed findings and of differences within rounding error, the first of a name."""
    files: dict[str, bytes] = {}
    for corpus, _ in sources:
        for name, one in corpus.ill_conditioned.items():
            files.setdefault(f"{ILL_CONDITIONED}/{name}.json", _data(one))
        for name in corpus.store.names("fixed"):
            files.setdefault(name, corpus.store.read(name) or b"")
    return files


def _write(
    target: Store, files: Mapping[str, bytes], cases: Mapping[str, bytes], campaign: bytes
) -> None:
    """Write a corpus that is there as a whole or, if this process is killed, not at all.

    A folder is written beside its place and renamed. A URL gets ``campaign.json`` last, without
    which it is no corpus.
    """
    check_target(target)
    store = target
    if isinstance(target, Folder):
        path = target.path.absolute()
        store = Folder(path.with_name(f".{path.name}.{os.getpid()}.tmp"))
    try:
        for name, data in cases.items():
            store.write(name, data, quick=True)
        for name, data in {**files, CAMPAIGN: campaign}.items():
            store.write(name, data)
        if isinstance(target, Folder) and isinstance(store, Folder):
            if target.path.is_dir():
                target.path.rmdir()
            store.path.rename(target.path)
    except OSError as error:
        raise CampaignError(f"{target.where} cannot be written: {error.strerror}") from error
    finally:
        if isinstance(store, Folder) and store is not target:
            shutil.rmtree(store.path, ignore_errors=True)


def _data(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
