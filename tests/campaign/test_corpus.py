"""A corpus: atomic files, counts once, and what cannot be read or written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.cases import FuzzInput
from parity.campaign.corpus import MERGED, Corpus, Identity
from parity.campaign.errors import CampaignError
from parity.campaign.records import Record
from parity.campaign.shard import Answer
from parity.campaign.storage import Folder, open_store
from parity.generate.profiles import PROFILES
from parity.language.json_format import program_to_json
from parity.language.text_format import program_from_text
from tests.helpers.campaigns import OVERWRITE, TWICE, Notes, left, run


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of a short campaign, to be copied."""
    folder = tmp_path_factory.mktemp("campaign") / "c"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))
        run(str(folder), 20)
    return folder


def _answer(number: int, programs: int = 10, **record: Any) -> Answer:
    return Answer(Record(number, number, programs, **record))


def test_files_are_written_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Folder(Path("c"))
    store.write("a/x.json", b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CampaignError, match=r"corpus c cannot be written: No space left"):
        store.write("a/x.json", b"new")
    assert store.read("a/x.json") == b"old"
    assert [file.name for file in Path("c/a").iterdir()] == ["x.json"]


@pytest.mark.parametrize("where", ["folder", "memory://test-corpus"])
def test_stores_do_the_same(where: str) -> None:
    store = open_store(where)
    assert store.names("a") == []
    assert store.read("a/x.json") is None
    store.write("a/x.json", b"1")
    store.write("a/y.json", b"2")
    assert not store.create("a/x.json", b"3")
    assert store.create("a/z.json", b"3")
    store.remove("a/y.json")
    store.remove("a/y.json")
    assert store.names("a") == ["a/x.json", "a/z.json"]
    assert store.read("a/x.json") == b"1"
    for name in store.names("a"):
        store.remove(name)


def test_a_url_that_is_not_known_is_one_line() -> None:
    with pytest.raises(CampaignError, match=r"corpus nowhere://x cannot be opened: .*nowhere"):
        open_store("nowhere://x")


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(CampaignError, match=r"needs fsspec.*'dezero-parity\[distributed\]'"):
        open_store("memory://x")
    open_store("folder")


def test_a_shard_is_counted_once() -> None:
    corpus = Corpus(Folder(Path("c")))
    answer = _answer(3, failing=Counter(gradient=2))
    corpus.add(answer)
    corpus.add(_answer(3, failing=Counter(gradient=5)))
    for seen in (corpus, Corpus(Folder(Path("c")))):
        assert seen.total().programs == 10
        assert seen.total().failing == {"gradient": 2}


def test_a_shard_that_ended_early_is_replaced_by_the_whole_one() -> None:
    corpus = Corpus(Folder(Path("c")))
    corpus.add(_answer(0, 4, complete=False, failing=Counter(gradient=1)))
    assert corpus.done(0, 4)
    assert not corpus.done(0, 10)
    for programs in (3, 0):
        corpus.add(_answer(0, programs, complete=False))
        assert corpus.total().programs == 4
    assert not corpus.finished(1)
    corpus.add(_answer(0, 10, failing=Counter(gradient=3)))
    assert corpus.finished(1)
    assert not corpus.finished(2)
    assert corpus.total().programs == 10
    assert corpus.total().failing == {"gradient": 3}


def test_many_shards_become_one_file() -> None:
    corpus = Corpus(Folder(Path("c")))
    for number in [*range(1, MERGED + 3), 0, *range(MERGED + 10, 2 * MERGED + 20)]:
        corpus.add(_answer(number, failing=Counter(gradient=1)))
    for number in range(MERGED + 3, MERGED + 10):
        corpus.add(_answer(number))
    names = [file.name for file in Path("c/shards").iterdir()]
    assert names == [f"0-{2 * MERGED + 19}.json"]
    again = Corpus(Folder(Path("c")))
    assert again.total() == corpus.total()
    assert again.total().programs == 10 * (2 * MERGED + 20)
    assert again.total().failing == {"gradient": 2 * MERGED + 13}
    assert again.done(2 * MERGED + 19, 10)
    assert not again.done(2 * MERGED + 20, 10)


def test_a_shard_that_ended_early_is_not_put_together() -> None:
    corpus = Corpus(Folder(Path("c")))
    for number in range(MERGED + 2):
        corpus.add(_answer(number, 4 if number == 5 else 10, complete=number != 5))
    for seen in (corpus, Corpus(Folder(Path("c")))):
        assert seen.merged is None
        assert not seen.done(5, 10)
    corpus.add(_answer(5))
    assert [file.name for file in Path("c/shards").iterdir()] == [f"0-{MERGED + 1}.json"]


def test_files_that_a_kill_left_beside_their_sum_count_once() -> None:
    corpus = Corpus(Folder(Path("c")))
    for number in range(MERGED - 1):
        corpus.add(_answer(number))
    before = {file.name: file.read_bytes() for file in Path("c/shards").iterdir()}
    corpus.add(_answer(MERGED - 1))
    for name, data in before.items():
        Path("c/shards", name).write_bytes(data)
    assert Corpus(Folder(Path("c"))).total().programs == 10 * MERGED
    (sum_,) = Path("c/shards").glob("0-*.json")
    first = sum_.read_bytes()
    for number in range(MERGED, 2 * MERGED):
        corpus.add(_answer(number))
    sum_.write_bytes(first)
    again = Corpus(Folder(Path("c")))
    assert again.total().programs == 20 * MERGED
    assert again.finished(2 * MERGED)
    assert not again.finished(2 * MERGED + 1)


def test_kept_cases_belong_to_the_first_shard_that_kept_them() -> None:
    size = PROFILES["general"].size
    one, other = (FuzzInput("general", bytes([n]) * size) for n in (1, 2))
    corpus = Corpus(Folder(Path("c")))
    late, early = _answer(5), _answer(2)
    late.kept, early.kept = [other, one], [one]
    corpus.add(late)
    corpus.add(early)
    for seen in (corpus, Corpus(Folder(Path("c")))):
        assert seen.kept_before(3) == (one,)
        assert seen.kept_before(6) == (one, other)
        assert seen.kept_before(2) == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "gradient"}', "[" * 100_000])
def test_files_that_cannot_be_read_are_named_and_left_alone(text: str, campaign: Path) -> None:
    shutil.copytree(campaign, "c")
    before = left(Path("c"))
    places = ["findings/0.json", "cases/0.json", "shards/0.json"]
    for place in places:
        Path("c", place).parent.mkdir(exist_ok=True)
        Path("c", place).write_text(text)
    display = Notes()
    outcome = run("c", 20, display=display)
    for place in places:
        assert any(note.startswith(f"c/{place} cannot be read") for note in display.notes)
    assert Path("c/findings/0.json").read_text() == text
    assert Path("c/shards/0.json.unreadable").read_text() == text
    assert outcome.total.programs == 20
    assert left(Path("c")) == before
    again: list[str] = []
    Corpus(Folder(Path("c")), again.append)
    assert [note.partition(" ")[0] for note in again] == ["c/findings/0.json", "c/cases/0.json"]


def test_what_could_not_be_read_is_kept_however_often_it_is_written(campaign: Path) -> None:
    ((name, finding),) = Corpus(Folder(campaign)).reported()
    file = Path(f"c/findings/{name}.json")
    file.parent.mkdir(parents=True)
    file.write_text("{")
    corpus = Corpus(Folder(Path("c")))
    for shard in (7, 2):
        seen = {"shard": shard, "program": 10 * shard}
        corpus.add(Answer(Record(shard, shard, 10), [{**finding, "first_seen": seen}], [""]))
    assert json.loads(file.read_text())["first_seen"]["shard"] == 2
    assert Path(f"{file}.unreadable").read_text() == "{"


#: Fields of files of a corpus, and what a person or a disk may put there.
DAMAGED: list[tuple[str, str, Any]] = [
    ("findings", "statements", None),
    ("findings", "leaves", "x"),
    ("findings", "kind", []),
    ("findings", "count", 10**400),
    ("findings", "text", "\ud800"),
    ("findings", "says", None),
    ("findings", "shown", "3.0"),
    ("findings", "shown", ["3.0", None]),
    ("findings", "diagnosis", [{"defect": "overwrite"}]),
    ("findings", "engine", 3),
    ("findings", "wrong", "both"),
    ("findings", "error_over_bound", float("inf")),
    ("findings", "error_over_bound", 10**400),
    ("findings", "first_seen", {"shard": 0, "program": -2}),
    ("shards", "seconds", float("inf")),
    ("shards", "seconds", 10**400),
    ("cases", "profile", []),
    ("cases", "shard", "x"),
    ("cases", "place", None),
]


@pytest.mark.parametrize(("folder", "field", "value"), DAMAGED)
def test_fields_that_are_damaged_are_named(
    folder: str, field: str, value: Any, campaign: Path
) -> None:
    shutil.copytree(campaign, "c")
    file = min(Path("c", folder).iterdir())
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    notes: list[str] = []
    corpus = Corpus(Folder(Path("c")), notes.append)
    assert corpus.unreadable == {f"{folder}/{file.name}"}
    assert [note.partition(":")[0] for note in notes] == [f"{file} cannot be read and is left out"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        json.dumps(Identity("a", "b", "c", "0", True).to_json()),
        json.dumps(Identity("a", "b", "c", "0", 10**30).to_json()),
    ],
)
def test_a_campaign_file_that_is_damaged_ends_it(text: str) -> None:
    Path("c").mkdir()
    Path("c/campaign.json").write_text(text)
    with pytest.raises(CampaignError, match=r"c/campaign.json cannot be read"):
        Corpus(Folder(Path("c")))


def test_a_campaign_file_that_cannot_be_read_ends_it() -> None:
    Path("c").mkdir()
    Path("c/campaign.json").write_text("{}")
    with pytest.raises(CampaignError, match=r"c/campaign.json cannot be read .*format"):
        Corpus(Folder(Path("c")))


def test_findings_that_share_a_program_are_told_apart(campaign: Path) -> None:
    shutil.copytree(campaign, "c")
    corpus = Corpus(Folder(Path("c")))
    ((name, finding),) = corpus.reported()
    other = {**finding, "kind": "value"}
    answer = Answer(Record(50, 50, 10), [other, finding], ["", ""])
    (new,) = corpus.add(answer)
    assert new == other
    assert len(Corpus(Folder(Path("c"))).findings) == 2
    assert corpus.findings[name]["kind"] == "gradient"


def test_the_first_program_that_showed_a_finding_stays(campaign: Path) -> None:
    ((_, finding),) = Corpus(Folder(campaign)).reported()
    corpus = Corpus(Folder(Path("d")))
    for shard, number in ((7, 71), (2, 23), (4, 40)):
        seen = {"shard": shard, "program": number}
        corpus.add(
            Answer(
                Record(shard, shard, 10),
                [{**finding, "first_seen": seen, "count": shard}],
                ["print()"],
            )
        )
    corpus.write_counts()
    ((name, stored),) = Corpus(Folder(Path("d"))).findings.items()
    assert corpus.findings == {name: stored}
    assert stored["first_seen"] == {"shard": 2, "program": 23}
    assert stored["count"] == 13
    assert stored["text"] == TWICE
    assert Path("d", stored["script"]) == Path(f"d/scripts/{name}.py")


LARGER = "x0 = leaf(5.0)\nx1 = mul(x0, x0)\nx2 = add(x1, x0)\nbackward(x2)"


@pytest.fixture
def two(campaign: Path) -> tuple[Corpus, str, str]:
    """A corpus that found ``TWICE`` and, earlier and five times, ``LARGER``; and their names."""
    shutil.copytree(campaign, "c")
    corpus = Corpus(Folder(Path("c")))
    ((name, finding),) = corpus.reported()
    program = program_from_text(LARGER)
    larger = {
        **finding,
        "program": program_to_json(program),
        "text": LARGER,
        "statements": 3,
        "first_seen": {"shard": 0, "program": -1},
        "count": 5,
    }
    corpus.add(Answer(Record(50, 50, 10), [larger], ["print(5)"]))
    (other,) = corpus.findings.keys() - {name}
    return corpus, name, other


def _reopened() -> dict[str, Any]:
    """The findings that are in the files, with the counts of the shards."""
    return dict(Corpus(Folder(Path("c"))).reported())


def test_groups_are_known_after_the_shard_that_found_them(two: Any) -> None:
    corpus, name, _ = two
    corpus.findings[name]["first_seen"] = {"shard": 3, "program": 31}
    del corpus.findings[two[2]]
    assert [corpus.groups_before(n) for n in (3, 4)] == [frozenset(), frozenset({"gradient"})]


def test_findings_without_records_keep_their_own_count_and_the_smallest_is_first(two: Any) -> None:
    corpus, name, larger = two
    shutil.rmtree("c/shards")
    findings = Corpus(Folder(Path("c"))).reported()
    assert [n for n, _ in findings] == [name, larger]
    assert findings[1][1]["count"] == 5
    corpus.findings = {"a": findings[1][1], "b": findings[0][1]}
    assert [n for n, _ in corpus.reported()] == ["b", "a"]


def test_a_finding_that_is_there_is_not_new_and_one_without_script_says_so(two: Any) -> None:
    corpus, name, _ = two
    finding = corpus.findings[name]
    other = {**finding, "program": program_to_json(program_from_text(TWICE.replace("3", "4")))}
    assert corpus.add(Answer(Record(60, 60, 10), [finding, other], ["print()", ""])) == [other]
    assert [f["script"] for f in _reopened().values()].count("") == 1


def test_the_first_program_where_rounding_decides_stays(campaign: Path) -> None:
    ((_, finding),) = Corpus(Folder(campaign)).reported()
    corpus = Corpus(Folder(Path("d")))
    for shard, number in ((7, 71), (2, 23), (4, 40)):
        undecided = {**finding, "first_seen": {"shard": shard, "program": number}}
        corpus.add(Answer(Record(shard, shard, 10), ill_conditioned=[undecided]))
    for seen in (corpus, Corpus(Folder(Path("d")))):
        (stored,) = seen.ill_conditioned.values()
        assert stored["first_seen"]["program"] == 23


def test_a_finding_that_becomes_another_is_merged_and_counted_with_it(two: Any) -> None:
    corpus, name, larger = two
    count = _reopened()[name]["count"]
    smaller = {**corpus.findings[name], "first_seen": corpus.findings[larger]["first_seen"]}
    assert corpus.replace(larger, {**smaller, "count": 5}, "print(3)") == name
    assert set(corpus.total().findings) == set(Corpus(corpus.store).total().findings) == {name}
    for findings in (dict(corpus.reported()), _reopened()):
        assert list(findings) == [name]
        assert findings[name]["count"] == count + 5
        assert findings[name]["first_seen"]["program"] == -1
        assert findings[name]["script"] == f"scripts/{name}.py"
    assert json.loads(Path(f"c/findings/{name}.json").read_text())["count"] == count + 5
    assert [file.read_text() for file in Path("c/scripts").iterdir()] == ["print(3)"]


def test_a_finding_that_shrinks_has_another_name_its_counts_and_a_script(two: Any) -> None:
    corpus, name, larger = two
    smaller = {
        **corpus.findings[larger],
        "program": program_to_json(program_from_text(LARGER.replace("5", "3"))),
    }
    new = corpus.replace(larger, smaller, "print(3)")
    assert new not in (name, larger)
    corpus.add(Answer(Record(51, 51, 10), [{**smaller, "count": 2}], ["print(3)"]))
    for findings in (dict(corpus.reported()), _reopened()):
        assert set(findings) == {name, new}
        assert findings[new]["count"] == 7
        assert findings[new]["script"] == f"scripts/{new}.py"
    assert {file.stem for file in Path("c/scripts").iterdir()} == {name, new}
    assert Path(f"c/scripts/{new}.py").read_text() == "print(3)"


def test_counts_that_are_put_together_move_as_well(two: Any) -> None:
    corpus, _, larger = two
    for number in range(MERGED):
        corpus.add(_answer(number))
    assert corpus.merged is not None
    for number in range(MERGED, MERGED + 2):
        corpus.add(Answer(Record(number, number, 10), [corpus.findings[larger]], [""]))
    count = _reopened()[larger]["count"]
    smaller = {
        **corpus.findings[larger],
        "program": program_to_json(program_from_text(LARGER.replace("5", "3"))),
    }
    new = corpus.replace(larger, smaller, "")
    assert count == 15
    assert _reopened()[new]["count"] == corpus.merged.findings[new] + 10 == 15


def test_a_finding_of_another_kind_with_the_same_program_is_not_merged(two: Any) -> None:
    corpus, name, larger = two
    other = {**corpus.findings[name], "kind": "value"}
    new = corpus.replace(larger, other, "")
    assert new not in (name, larger)
    assert {n: f["kind"] for n, f in _reopened().items()} == {name: "gradient", new: "value"}


def test_a_finding_with_another_diagnosis_keeps_its_name(two: Any) -> None:
    corpus, name, larger = two
    assert corpus.replace(name, {**corpus.findings[name], "diagnosis": []}, "print()") == name
    assert set(_reopened()) == {name, larger}
    assert _reopened()[name]["diagnosis"] == []
    assert Path(f"c/scripts/{name}.py").read_text() == "print()"


def test_a_finding_that_is_forgotten_is_kept_among_the_fixed(two: Any) -> None:
    corpus, name, larger = two
    before = corpus.findings[name]
    corpus.forget(name)
    assert json.loads(Path(f"c/fixed/{name}.json").read_text()) == {**before, "script": ""}
    assert set(_reopened()) == set(corpus.findings) == {larger}
    assert [file.stem for file in Path("c/scripts").iterdir()] == [larger]


def test_identities_are_read_as_they_are_written() -> None:
    identity = Identity(OVERWRITE, "overwrite 1", "torch 2", "0", 10)
    assert Identity.from_json(json.loads(json.dumps(identity.to_json()))) == identity
