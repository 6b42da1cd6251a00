"""``parity prune``: fewer kept inputs, and the same coverage."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.corpus import Corpus
from parity.campaign.errors import CampaignError
from parity.campaign.lock import Lock
from parity.campaign.prune import _greedy, _needed, cover, features_of
from parity.campaign.records import Record
from parity.campaign.shard import Answer
from parity.campaign.storage import Folder, open_store
from parity.cli.main import main
from parity.diagnose.defects.traversal import Overwrite
from parity.generate.profiles import PROFILES
from tests.campaign.test_merge import _contents, _corpus

ENGINE = Overwrite()


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _filled() -> Corpus:
    """A corpus with 40 random inputs, and some that engines of this kind do not have."""
    corpus = _corpus("c", 1, 5, ())
    source = random.Random(0)
    names = [*Reader(ENGINE).decoders][:2] * 20
    inputs = [FuzzInput(n, source.randbytes(PROFILES[n].size)) for n in names]
    corpus.add(Answer(Record(7, 7, 10), kept=inputs))
    filled = Corpus(open_store("c"))
    _coverage(filled)  # what runs only once in a process, since a cache keeps it, has run now
    return filled


def _coverage(corpus: Corpus) -> set[Any]:
    reader = Reader(ENGINE)
    found = (features_of(one.fuzz_input, ENGINE, reader) for one in corpus.kept.values())
    return set().union(*(some or () for some in found))


def _least(sets: list[frozenset[int]]) -> int:
    """The size of the smallest cover, by trying all."""
    whole = frozenset().union(*sets)
    sizes = range(len(sets) + 1)
    return next(
        n
        for n in sizes
        if any(frozenset().union(*some) == whole for some in itertools.combinations(sets, n))
    )


@pytest.mark.parametrize("seed", range(30))
def test_a_cover_has_all_and_nothing_superfluous(seed: int) -> None:
    source = random.Random(seed)
    sets = [frozenset(source.sample(range(9), source.randint(0, 4))) for _ in range(7)]
    whole = frozenset().union(*sets)
    chosen = _needed(_greedy(sets), sets)
    assert frozenset().union(*(sets[i] for i in chosen)) == whole
    for left_out in chosen:
        assert frozenset().union(*(sets[i] for i in chosen if i != left_out)) != whole
    assert len(chosen) <= _least(sets) + 1


def test_coverage_is_the_same_and_findings_stay(capsys: pytest.CaptureFixture[str]) -> None:
    corpus = _filled()
    before, files = _coverage(corpus), _contents("c")
    assert main(["prune", "c", "--dry-run", "--engine", corpus.identity.spec, "--no-isolate"]) == 0  # type: ignore[union-attr]
    assert _contents("c") == files
    chosen = cover(corpus.kept, ENGINE)
    assert cover(dict(reversed(corpus.kept.items())), ENGINE) == chosen
    said = f"of 40 cases would be kept; coverage is the same: {len(before)} features\n"
    assert capsys.readouterr().out == f"{len(chosen.keep)} {said}"
    assert main(["prune", "c", "--engine", corpus.identity.spec, "--no-isolate"]) == 0  # type: ignore[union-attr]
    after = Corpus(open_store("c"))
    assert after.kept.keys() == chosen.keep
    assert len(after.kept) < 40
    assert _coverage(after) == before
    gone = {name for name in files.keys() - _contents("c").keys() if not name.endswith(".lock")}
    assert gone == {f"c/cases/{name}.json" for name in chosen.remove}


def test_inputs_of_other_profiles_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = _filled()
    first = min(corpus.kept.values()).profile
    reader = Reader(ENGINE)
    del reader.decoders[first]
    monkeypatch.setattr("parity.campaign.prune.Reader", lambda engine: reader)
    foreign = {name for name, one in corpus.kept.items() if one.profile == first}
    assert foreign <= cover(corpus.kept, ENGINE).keep


def test_at_no_moment_coverage_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = _filled()
    before = _coverage(corpus)
    chosen = cover(corpus.kept, ENGINE)
    remove = Folder.remove

    def killed(self: Folder, name: str) -> None:
        if name.endswith(f"{chosen.remove[3]}.json"):
            raise CampaignError("killed")
        remove(self, name)

    monkeypatch.setattr(Folder, "remove", killed)
    with pytest.raises(CampaignError):
        corpus.remove_kept(chosen.remove)
    left = Corpus(open_store("c"))
    assert len(left.kept) == 37
    assert _coverage(left) == before


def test_a_corpus_in_use_is_not_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    spec = _filled().identity.spec  # type: ignore[union-attr]
    with Lock(Folder(Path("c")), print):
        assert main(["prune", "c", "--engine", spec]) == 2
    assert "c is in use by" in capsys.readouterr().err
    assert len(Corpus(open_store("c")).kept) == 40


def test_another_engine_would_read_other_programs(capsys: pytest.CaptureFixture[str]) -> None:
    _filled()
    assert main(["prune", "c", "--engine", "dezero"]) == 2
    assert "corpus c is for the engine overwrite 1, not dezero" in capsys.readouterr().err
    assert len(Corpus(open_store("c")).kept) == 40
