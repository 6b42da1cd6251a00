"""``parity merge``: counts are added, findings and kept inputs united, and a campaign goes on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.cases import FuzzInput
from parity.campaign.corpus import Corpus, Identity
from parity.campaign.errors import CampaignError
from parity.campaign.merge import merge, read_sources
from parity.campaign.records import Record
from parity.campaign.shard import Answer
from parity.campaign.storage import Folder, open_store
from parity.cli.main import main
from parity.generate.profiles import PROFILES
from tests.campaign.test_records import FINDING
from tests.helpers.campaigns import OVERWRITE, TWICE, run


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))


def _input(number: int) -> FuzzInput:
    return FuzzInput("general", bytes([number]) * PROFILES["general"].size)


def _corpus(
    where: str, shards: int, first: int, kept: tuple[int, ...], seed: str = "0", **identity: Any
) -> Corpus:
    """A corpus whose last shard found something in program ``first``."""
    known = {"spec": OVERWRITE, "engine": "overwrite 1", "reference": "torch 2", "size": 10}
    corpus = Corpus(open_store(where))
    corpus.begin(Identity(seed=seed, **{**known, **identity}))
    for number in range(shards):
        record = Record(number, number, 10, coverage=Counter(a=1), failing=Counter(gradient=2))
        answer = Answer(record, kept=[_input(n) for n in kept] if number == 0 else [])
        if number == shards - 1:
            seen = {"shard": first // 10, "program": first}
            answer.findings = [{**FINDING, "first_seen": seen, "count": 3}]
            answer.scripts = [f"print({first})"]
        corpus.add(answer)
    return corpus


def _merged(*where: str, note: Callable[[str], None] = lambda text: None) -> Corpus:
    return merge(read_sources([open_store(w) for w in where], note), open_store("c"))


def _contents(folder: str) -> dict[str, bytes]:
    files = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return {str(file): file.read_bytes() for file in files}


def test_counts_are_added_and_what_both_have_is_one() -> None:
    _corpus("a", 3, 25, (1, 2))
    _corpus("b", 2, 12, (2, 3), seed="1")
    before = _contents("a") | _contents("b")
    corpus = _merged("a", "b")
    assert _contents("a") | _contents("b") == before
    total = corpus.total()
    assert (total.programs, total.failing, total.coverage) == (50, {"gradient": 10}, {"a": 5})
    ((name, finding),) = corpus.reported()
    assert finding["count"] == 6
    assert finding["first_seen"] == {"shard": 1, "program": 12}
    assert finding["seed"] == "1"
    assert Path("c", finding["script"]).read_text() == "print(12)"
    assert name in Corpus(open_store("a")).findings
    assert {one.fuzz_input for one in corpus.kept.values()} == {_input(n) for n in (1, 2, 3)}


def test_a_campaign_goes_on_with_shards_that_nobody_has_run() -> None:
    _corpus("a", 1, 5, (1,))
    _corpus("b", 1, 5, (2,), seed="1")
    corpus = _merged("a", "b")
    assert corpus.identity is not None
    seed = corpus.identity.seed
    assert seed not in ("0", "1")
    outcome = run("c", 45, seed=seed)
    assert outcome.total.programs == 45
    shards = sorted(Corpus(open_store("c")).single)
    assert shards == [2, 3, 4]
    assert Corpus(open_store("c")).merged is not None


def test_shards_that_ended_early_count_as_what_they_ran() -> None:
    for where, seed in (("a", "0"), ("b", "1")):
        corpus = _corpus(where, 0, 0, (), seed=seed)
        corpus.add(Answer(Record(0, 0, 4, complete=False)))
    merged = _merged("a", "b")
    assert merged.total().programs == 8
    assert not merged.done(2, 10)
    assert merged.programs_before(3, 10) == 18
    assert merged.finished(2)


def test_a_merged_corpus_is_merged_again_and_its_seed_is_its_own() -> None:
    _corpus("a", 1, 5, (1,))
    _corpus("b", 1, 5, (2,), seed="1")
    seed = _merged("a", "b").identity
    Path("c").rename("ab")
    assert _merged("a", "b").identity == seed
    Path("c").rename("again")
    _corpus("d", 1, 5, (4,), seed="2")
    whole = _merged("ab", "d")
    assert whole.identity != seed
    assert whole.total().programs == 30
    ((_, finding),) = whole.reported()
    assert (finding["count"], finding["seed"]) == (9, "0")


@pytest.mark.parametrize(("field", "value"), [("engine", "other 1"), ("reference", "exact 1")])
def test_other_engines_are_refused(
    field: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _corpus("a", 1, 5, ())
    _corpus("b", 1, 5, (), **{field: value})
    assert main(["merge", "a", "b", "-o", "c"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"parity: error: b is for the {field} {value}, and a for ")
    assert not Path("c").exists()


def test_what_cannot_be_merged_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _corpus("a", 1, 5, ())
    _corpus("b", 1, 5, ())
    data = Path("b/campaign.json").read_text()
    Path("full").mkdir()
    Path("full/x").touch()
    Path("b/campaign.json").write_text(data.replace('"format": 1', '"format": 2'))
    for arguments, line in (
        (("a", "a", "-o", "c"), "a is named twice"),
        (("a", "nowhere", "-o", "c"), "nowhere is no corpus"),
        (("a", "b", "-o", "c"), "b/campaign.json cannot be read (format is 2, not 1)"),
        (("a", "-o", "full"), "full is there and not empty"),
        (("a", "-o", "full/x"), "full/x is there and not empty"),
        (("a", "-o", "a"), "a is there and not empty"),
        (("a", "-o", "a/cases"), "a/cases is within a, which stays as it is"),
        (("a", "-o", "c", "--engine", "dezero"), "corpus a is for the engine overwrite 1, not de"),
    ):
        assert main(["merge", *arguments]) == 2
        (error,) = capsys.readouterr().err.splitlines()
        assert error.startswith(f"parity: error: {line}")


def test_equal_seeds_and_other_versions_are_told() -> None:
    _corpus("a", 1, 5, ())
    _corpus("b", 1, 5, (), engine="overwrite 2")
    notes: list[str] = []
    _merged("a", "b", note=notes.append)
    assert notes == [
        "b was begun with overwrite 2, and a with overwrite 1",
        "a and b have the seed 0: programs that both have run count twice",
    ]


def test_a_merge_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _corpus("a", 1, 5, (1,))
    sources = read_sources([open_store("a")], print)
    write = Folder.write

    def full(self: Folder, name: str, data: bytes, quick: bool = False) -> None:
        if name == "campaign.json":
            raise CampaignError("full")
        write(self, name, data, quick)

    monkeypatch.setattr(Folder, "write", full)
    before = sorted(Path().iterdir())
    with pytest.raises(CampaignError):
        merge(sources, open_store("c"))
    assert sorted(Path().iterdir()) == before


def test_the_command_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    _corpus("memory://merge-a", 2, 5, (1,))
    _corpus("b", 1, 5, (2,), seed="1")
    Path("c").mkdir()
    assert main(["merge", "memory://merge-a", "b", "-o", "c"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("c: 2 corpora, 30 programs, 1 findings, 2 kept cases, seed merged-")
    assert TWICE in Corpus(open_store("c")).reported()[0][1]["text"]
