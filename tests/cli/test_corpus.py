"""The commands on what campaigns left: replay, minimize and promote."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from parity._util.decode import encode
from parity.campaign.cases import FuzzInput
from parity.campaign.corpus import Corpus
from parity.campaign.hypothesis_search import PROGRAMS_PER_EXAMPLE, export_to_hypothesis
from parity.campaign.lock import Lock
from parity.campaign.regressions import read_regression
from parity.campaign.replay import minimized, occurs, replay
from parity.campaign.storage import Folder
from parity.cli.main import main
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite
from parity.diagnose.triage import Triage
from parity.engines.adapters.dezero import Dezero
from parity.engines.open import open_engines
from parity.generate.profiles import PROFILES
from parity.language.json_format import program_to_json
from parity.language.text_format import program_from_text
from parity.oracle.finding import KINDS, Finding
from tests.helpers.campaigns import FEW_OVERWRITE, OVERWRITE, TWICE, run
from tests.helpers.programs import TORCH

pytestmark = pytest.mark.slow


#: The engine of the corpus, which the command line has to name.
NAMED = ("--engine", FEW_OVERWRITE, "--no-isolate")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, campaign: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    shutil.copytree(campaign, "c")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of a short campaign that found ``TWICE``, to be copied."""
    folder = tmp_path_factory.mktemp("campaign")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))
        patch.chdir(folder)
        run("c", 20, FEW_OVERWRITE, isolate=False)
    return folder / "c"


def test_replay_says_what_is_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "c", *NAMED]) == 1
    assert "fails: " in (out := capsys.readouterr().out)
    assert "0 fixed, 1 fail; " in out
    assert main(["replay", "c", "--engine", "dezero"]) == 0
    assert "fixed: " in (out := capsys.readouterr().out)
    assert "1 fixed, 0 fail; " in out
    assert main(["replay", "c", "--engine", "dezero", "--forget-fixed"]) == 0
    assert list(Path("c/findings").iterdir()) == []
    assert len(list(Path("c/fixed").iterdir())) == 1


def test_replay_runs_the_kept_cases(capsys: pytest.CaptureFixture[str]) -> None:
    run("right", 20, "dezero")
    number = len(list(Path("right/cases").iterdir()))
    assert number
    assert main(["replay", "right"]) == 0
    assert f"0 fixed, 0 fail; {number} kept cases" in capsys.readouterr().out
    assert main(["replay", "right", "--engine", OVERWRITE]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"verdict: findings: 0 fixed, {len(lines)} fail; {number} kept cases"
    kept = Corpus(Folder(Path("right"))).kept
    names = sorted(kept, key=kept.__getitem__)
    failing = [line.removeprefix("fails: kept case ").partition(": ")[0] for line in lines]
    assert failing == [name for name in names if name in failing]
    assert f"fails: kept case {failing[-1]}: gradient" in lines
    assert len(failing) > 1


def _enlarged(name: str, text: str, **other: Any) -> Path:
    """A finding of the corpus with another program, under another name."""
    file = min(Path("c/findings").iterdir())
    program = program_from_text(text)
    data = json.loads(file.read_text())
    data |= {
        "program": program_to_json(program),
        "text": text,
        "statements": len(program.statements),
    }
    data |= other
    new = Path("c/findings", f"{name}.json")
    new.write_text(json.dumps(data))
    return new


def test_what_did_not_run_is_not_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    twice = "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)\nbackward(x1)"
    _enlarged("raises", twice)  # both sides raise: the graph was freed
    _enlarged("other", twice, kind="no-exception")  # that is what the engine had to learn
    _enlarged("lacks", "x0 = leaf(3.0)\nx1 = sin(x0)\nbackward(x1)")
    engine = "tests.cli.test_corpus:_WithoutSin"
    assert main(["replay", "c", "--no-isolate", "--engine", engine, "--forget-fixed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("not run: raises: gradient: the engine")]
    assert [line for line in lines if line.startswith("not run: lacks: gradient: the engine la")]
    assert [line for line in lines if line.startswith("fixed: other: ")]
    assert "2 fixed, 0 fail, 2 not run; " in lines[-1]
    assert sorted(file.stem for file in Path("c/findings").iterdir()) == ["lacks", "raises"]


class _WithoutSin(Dezero):
    ops = {name: function for name, function in Dezero().ops.items() if name != "sin"}  # noqa: RUF012


def test_what_cannot_be_read_is_an_error_after_the_others_ran(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("c/findings/bad.json").write_text("{")
    assert main(["replay", "c", "--engine", "dezero"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("fixed: ")
    assert "verdict" not in out
    assert err.splitlines()[-1] == (
        "parity: error: c: findings/bad.json cannot be read: mend or remove it"
    )


LARGER = "x0 = leaf(5.0)\nx1 = mul(x0, x0)\nx2 = add(x1, x0)\nbackward(x2)"


def test_minimize_reduces_again_and_merges(capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path("c/findings").iterdir())
    large = _enlarged("larger", LARGER)
    assert main(["minimize", "c", *NAMED]) == 0
    assert "larger: 3 statements, now 2" in capsys.readouterr().out
    assert not large.exists()
    assert sorted(Path("c/findings").iterdir()) == before
    assert main(["replay", "c", *NAMED]) == 1


def test_minimize_takes_one_finding() -> None:
    large = _enlarged("larger", LARGER)
    alone = Path(shutil.copy(large, "alone.json"))
    assert main(["minimize", str(large), *NAMED]) == 0
    assert not large.exists()
    assert main(["minimize", str(alone)]) == 2
    assert main(["minimize", str(alone), *NAMED]) == 0
    assert json.loads(alone.read_text())["text"] == TWICE


@pytest.mark.parametrize("command", ["replay", "minimize"])
def test_what_is_no_corpus_is_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert main([command, "empty"]) == 2
    assert capsys.readouterr().err == ("parity: error: empty is no corpus: parity fuzz makes one\n")
    assert list(Path("empty").iterdir()) == []
    assert main([command, "nowhere"]) == 2
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "gradient"}', '{"kind": "x"}'])
def test_what_is_no_finding_is_not_promoted(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("f.json").write_text(text)
    assert main(["promote", "f.json"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("parity: error: f.json is no finding of a campaign: ")
    assert len(err.splitlines()) == 1


def test_all_findings_are_read_before_one_is_promoted(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = Path("c/findings").iterdir()
    probe = {**json.loads(program.read_text()), "probe": "deep-chain", "program": {}}
    Path("probe.json").write_text(json.dumps(probe))
    Path("bad.json").write_text("")
    assert main(["promote", str(program), "bad.json"]) == 2
    assert not Path("parity-regressions").exists()
    assert main(["promote", "probe.json"]) == 2
    assert main(["promote", "probe.json", str(program)]) == 0
    assert len(list(Path("parity-regressions").iterdir())) == 1
    assert "the probe deep-chain: pytest --pyargs parity runs it anyway, and it is left out" in (
        capsys.readouterr().err
    )


# Which engine is run.


@pytest.mark.parametrize("command", ["replay", "minimize", "one"])
@pytest.mark.parametrize("spec", ["c/evil.py:Engine", "evil:Engine", "x\n::error::", "e" * 10**6])
def test_an_engine_that_only_a_corpus_names_is_not_run(
    command: str, spec: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend("c")
    Path("c/evil.py").write_text("open('ran', 'w')")
    data = json.loads(Path("c/campaign.json").read_text())
    Path("c/campaign.json").write_text(json.dumps({**data, "spec": spec}))
    where = str(min(Path("c/findings").iterdir())) if command == "one" else "c"
    command = "replay" if command == "replay" else "minimize"
    assert main([command, where]) == 2
    out, err = capsys.readouterr()
    shown = spec if spec.endswith(":Engine") else "SPEC"
    assert out == ""
    assert err == (
        f"parity: error: the engine of {where} is code, which is not run because a corpus names "
        f"it: parity {command} {where} --engine {shown}\n"
    )
    assert not Path("ran").exists()


def test_a_given_engine_is_run_whatever_a_corpus_names() -> None:
    data = json.loads(Path("c/campaign.json").read_text())
    Path("c/campaign.json").write_text(json.dumps({**data, "spec": "evil.py:Engine"}))
    assert main(["replay", "c", *NAMED]) == 1
    assert main(["minimize", "c", *NAMED]) == 0


# Replaying.


def _finding() -> tuple[str, dict[str, Any]]:
    """The finding of the campaign and its name."""
    ((name, finding),) = Corpus(Folder(Path("c"))).reported()
    return name, finding


def _said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    main([*arguments])
    return capsys.readouterr().out.splitlines()


def _write(name: str, finding: dict[str, Any]) -> None:
    Path(f"c/findings/{name}.json").write_text(json.dumps(finding))


def test_each_finding_is_a_line_the_smallest_first(capsys: pytest.CaptureFixture[str]) -> None:
    name, finding = _finding()
    _enlarged("0", LARGER)
    _write("another", {**finding, "kind": "value", "leaves": 2})
    text = "; ".join(TWICE.splitlines())
    *lines, last = _said(capsys, "replay", "c", *NAMED)
    assert lines == [
        f"fails: {name}: gradient: {text}",
        f"fails: another: value, now gradient: {text}",
        f"fails: 0: gradient: {'; '.join(LARGER.splitlines())}",
    ]
    kept = len(list(Path("c/cases").iterdir()))
    assert last == f"verdict: findings: 0 fixed, 3 fail; {kept} kept cases"
    fixed = _said(capsys, "replay", "c", "--engine", "dezero")
    assert fixed[:2] == [f"fixed: {name}: gradient: {text}", f"fixed: another: value: {text}"]
    assert len(list(Path("c/findings").iterdir())) == 3


def test_a_finding_of_a_probe_is_run_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    name, finding = _finding()
    _write(name, {**finding, "probe": "wide-use", "program": {}, "text": "", "diagnosis": []})
    assert _said(capsys, "replay", "c", *NAMED)[0].startswith(f"fails: {name}: gradient: ")
    assert _said(capsys, "replay", "c", "--engine", "dezero")[0].startswith(f"fixed: {name}: ")


class Probe:
    """Finds something on each engine that it applies to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.runs = 0

    def applies(self, engine: Any) -> bool:
        return isinstance(engine, Overwrite)

    def first(self, engine: Any) -> Finding:
        self.runs += 1
        return Finding(KINDS["depth"], 0, "", 0, None, None)


def test_the_probe_of_a_finding_is_run_where_it_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    probes = [Probe("a"), Probe("b"), Probe("c")]
    by_name = {probe.name: probe for probe in probes}
    monkeypatch.setattr("parity.campaign.replay.PROBES_BY_NAME", by_name)
    now = occurs({"probe": "b"}, Overwrite(), TORCH)
    assert now is not None
    assert now.kind == "depth"
    assert occurs({"probe": "b"}, TapeEngine(), TORCH) is None
    assert [probe.runs for probe in probes] == [0, 1, 0]


class Warns(Overwrite):
    """Overwrites, with warnings, which pytest makes errors."""

    def value(self, t: Any) -> Any:
        warnings.warn("for the test", stacklevel=1)
        return super().value(t)


def test_warnings_of_an_engine_are_not_what_is_replayed() -> None:
    _, finding = _finding()
    first, *_ = replay(Corpus(Folder(Path("c"))), Warns(), TORCH)
    assert first.now == "gradient"
    assert minimized(finding, Triage(Warns(), TORCH)) is not None


@pytest.mark.parametrize(
    "arguments", [("replay", "c", "--engine", "dezero", "--forget-fixed"), ("minimize", "c")]
)
def test_a_corpus_that_is_in_use_is_not_changed(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with Lock(Folder(Path("c")), print):
        assert main([*arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""  # it is not read before it is locked
        assert "corpus c is in use by process" in err
        assert main(["replay", "c", "--engine", "dezero"]) == 0
    assert _finding()
    assert not Path("c/fixed").exists()


def test_only_what_is_fixed_is_forgotten() -> None:
    name, _ = _finding()
    mul = "x0 = leaf(5.0)\nx1 = mul(x0, x0)\nx2 = neg(x1)"
    _enlarged("gone", mul)
    assert main(["replay", "c", "--forget-fixed", *NAMED]) == 1
    assert [file.stem for file in Path("c/findings").iterdir()] == [name]
    assert [file.stem for file in Path("c/fixed").iterdir()] == ["gone"]


# Minimizing.

#: Where a finding was seen, which stays.
PLACE = {"program_number": 17, "first_seen": {"shard": 1, "program": 17}, "count": 9}


def test_a_finding_that_shrinks_has_the_script_of_its_program() -> None:
    name, before = _finding()
    _enlarged("larger", LARGER, **PLACE)
    file = Path(f"c/findings/{name}.json")
    file.unlink()
    shutil.rmtree("c/scripts")
    assert main(["minimize", "c", *NAMED]) == 0
    assert list(file.parent.iterdir()) == [file]
    assert json.loads(file.read_text()) == {**before, **PLACE}
    script = Path("c", before["script"]).read_text()
    assert script.startswith('"""gradient: ')
    assert f"{name}.py" in script
    assert TWICE.splitlines()[1] in script


def test_one_finding_of_a_corpus_is_minimized_alone(capsys: pytest.CaptureFixture[str]) -> None:
    name, _ = _finding()
    first, second = (_enlarged(n, LARGER) for n in ("first", "second"))
    assert _said(capsys, "minimize", str(first), *NAMED) == [
        "first: 3 statements, now 2",
        "2 findings in c",
    ]
    assert second.exists()
    assert _said(capsys, "minimize", "c", *NAMED) == [
        "second: 3 statements, now 2",
        "1 findings in c",
    ]
    assert _said(capsys, "minimize", "c", *NAMED) == ["1 findings in c"]
    assert _finding()[0] == name


@pytest.mark.parametrize("alone", [False, True])
def test_what_is_gone_is_left_as_it_is(alone: bool, capsys: pytest.CaptureFixture[str]) -> None:
    name, _ = _finding()
    file = Path(f"c/findings/{name}.json")
    if alone:
        file = Path(shutil.copy(file, f"{name}.json"))
    before = file.read_bytes()
    lines = _said(capsys, "minimize", str(file), "--engine", "dezero")
    assert lines[0] == f"left as it is, no longer a finding of kind gradient: {name}"
    assert file.read_bytes() == before


def test_what_became_another_kind_or_a_matter_of_rounding_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, finding = _finding()
    _write(name, {**finding, "kind": "value"})
    assert "no longer a finding of kind value" in _said(capsys, "minimize", "c", *NAMED)[0]
    _write(name, {**finding, "kind": "second-order"})  # a gradient is simpler
    assert _said(capsys, "minimize", "c", *NAMED)[0] == f"{name}: 2 statements, now 2"
    assert _finding()[1]["kind"] == "gradient"
    for module in ("finish", "replay"):
        monkeypatch.setattr(f"parity.campaign.{module}.judge_finding", lambda *arguments: None)
    assert "no longer a finding of kind gradient" in _said(capsys, "minimize", "c", *NAMED)[0]
    assert _finding()[1]["text"] == TWICE


def test_a_finding_of_a_probe_is_not_reduced(capsys: pytest.CaptureFixture[str]) -> None:
    name, finding = _finding()
    _write(name, {**finding, "probe": "wide-use", "program": {}, "text": ""})
    before = Path(f"c/findings/{name}.json").read_bytes()
    assert _said(capsys, "minimize", "c", *NAMED) == ["1 findings in c"]
    assert Path(f"c/findings/{name}.json").read_bytes() == before


def test_a_lone_file_is_reduced_where_it_is() -> None:
    _, before = _finding()
    alone = Path(shutil.copy(_enlarged("larger", LARGER, **PLACE), "alone.json"))
    assert main(["minimize", str(alone), *NAMED]) == 0
    assert json.loads(alone.read_text()) == {**before, **PLACE, "script": ""}
    assert main(["minimize", "c", *NAMED]) == 0


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("c/findings/no.json", "c/findings/no.json is no finding of the corpus c"),
        ("c/fixed/larger.json", "c/fixed/larger.json is no finding of the corpus c"),
        ("no.json", "no.json cannot be read: No such file or directory"),
        ("memory://no.json", "memory://no.json is no corpus: parity fuzz makes one"),
        ("larger.json", "larger.json lies in no corpus: name its engine with --engine"),
    ],
)
def test_what_cannot_be_minimized_is_one_line(
    file: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(_enlarged("larger", LARGER), "larger.json")
    assert main(["minimize", file]) == 2
    assert capsys.readouterr() == ("", f"parity: error: {line}\n")


# Promoting.


def test_a_promoted_finding_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    name, _ = _finding()
    assert _said(capsys, "promote", f"c/findings/{name}.json") == [
        f"parity-regressions/gradient-{name[:12]}.json written"
    ]
    file = Path(f"parity-regressions/gradient-{name[:12]}.json")
    data = json.loads(file.read_text())
    assert data["kind"] == "gradient"
    assert data["behaves_like"] == ["overwrite"]
    assert str(read_regression(file)) == data["text"] == TWICE


def test_what_cannot_be_promoted_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    name, _ = _finding()
    Path("deep.json").write_text("[" * 100_000)
    Path("file").touch()
    for arguments, line in (
        (["gone.json"], "gone.json cannot be read: No such file or directory"),
        (["deep.json"], "deep.json is no finding of a campaign: it is nested more than 100 deep"),
        ([f"c/findings/{name}.json", "-o", "file"], "folder file cannot be written: "),
    ):
        assert main(["promote", *arguments]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"parity: error: {line}")
        assert len(err.splitlines()) == 1


# Findings exported to the Hypothesis database.


def _case(profile: str) -> dict[str, Any]:
    return {
        "kind": "gradient",
        "case": encode(FuzzInput(profile, b"\x07" * PROFILES[profile].size)),
    }


def test_the_bytes_of_a_finding_are_left_for_the_test_of_its_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, _ = open_engines(OVERWRITE, check=False)
    assert export_to_hypothesis(_case("twins"), engine)
    assert [file.name for file in Path(".hypothesis/parity/overwrite").iterdir()] == ["twins"]
    given: list[bytes] = []

    class Property:
        class hypothesis:
            fuzz_one_input = given.append

    monkeypatch.setattr(
        "parity.campaign.hypothesis_search.property_of", lambda *arguments: Property
    )
    assert not export_to_hypothesis(_case("twins"), engine)  # the property did not fail
    size = PROFILES["twins"].size
    assert given == [b"\x07" * size + bytes((PROGRAMS_PER_EXAMPLE - 1) * size)]


def test_nothing_is_left_of_a_probe_nor_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = open_engines(OVERWRITE, check=False)
    assert not export_to_hypothesis({"kind": "gradient", "case": None}, engine)
    monkeypatch.setenv("CI", "true")
    assert not export_to_hypothesis(_case("twins"), engine)
    assert not Path(".hypothesis").exists()
