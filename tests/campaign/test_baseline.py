"""Findings that are accepted for now: the list, what it covers, and what no longer occurs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.baseline import (
    Baseline,
    BaselineEntry,
    BaselineError,
    BaselineMatcher,
    load_baseline,
    propose,
)
from parity.campaign.hypothesis_search import run_property
from parity.campaign.result import Report
from parity.campaign.search import search
from parity.cli.main import main
from parity.diagnose.defects.base import rules_with
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite
from parity.diagnose.triage import Triage
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.language import program as pr
from parity.language.text_format import program_from_text
from parity.oracle.finding import KINDS, Finding
from tests.helpers.programs import DEZERO, TORCH

pytestmark = pytest.mark.slow

OVERWRITE = "parity.diagnose.defects.traversal:Overwrite"
TWICE = "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"
LIST = f"""
[[known]]
kind = "gradient"
program = '''
{TWICE}
'''
reason = "waits for the new traversal"
url = "https://example.org/issues/12"
"""
CAUSE = """
[[known]]
cause = "overwrite"
reason = "waits for the new traversal"
url = "https://example.org/issues/12"
"""
KNOWN = BaselineEntry(
    "gradient",
    "waits for the new traversal",
    "https://example.org/issues/12",
    program_from_text(TWICE),
)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("known.toml").write_text(LIST)


def _check(engine: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    common = ("--examples", "40", "--ops", "add,mul", "--json", "result.json")
    status = main(["check", "--engine", engine, *common, *arguments])
    return status, json.loads(Path("result.json").read_text())


def test_a_list_is_read() -> None:
    assert load_baseline(Path("known.toml")) == Baseline((KNOWN,))


def test_a_list_without_entries_accepts_nothing() -> None:
    Path("empty.toml").write_text("")
    assert load_baseline(Path("empty.toml")) == Baseline()


def _finding(kind: str, text: str) -> tuple[str, str]:
    report = Report(Finding(KINDS[kind], 2, "grad", 0, None, None), program_from_text(text), 0)
    return report.finding.kind, report.key


def test_both_the_kind_and_the_program_must_be_those_of_an_entry() -> None:
    known = Baseline((KNOWN,))
    assert known.find(*_finding("gradient", TWICE)) == KNOWN
    assert known.find(*_finding("accumulation", TWICE)) is None
    assert known.find(*_finding("gradient", TWICE.replace("3.0", "2.0"))) is None
    assert known.find(*_finding("gradient", TWICE.replace("add", "mul"))) is None


def test_known_findings_are_counted_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    status, result = _check(OVERWRITE, "--known", "known.toml")
    assert status == 0
    assert result["verdict"] == "parity"
    assert result["findings"] == []
    (entry,) = result["known"]
    assert entry["programs"] > 5
    assert entry["occurs"] is True
    assert (entry["kind"], entry["text"]) == ("gradient", TWICE)
    out = capsys.readouterr().out
    assert f"known, found {entry['programs']} times: {KNOWN}" in out.splitlines()
    assert out.splitlines()[-1].endswith(" programs but what is known")
    assert not Path("parity-findings").exists()


def test_other_findings_fail_the_run_beside_known_ones() -> None:
    Path("known.toml").write_text(CAUSE.replace("overwrite", "neg"))
    status, result = _check(OVERWRITE, "--known", "known.toml")
    assert status == 1
    assert [f["diagnosis"][0]["defect"] for f in result["findings"]] == ["overwrite"]
    assert [known["programs"] for known in result["known"]] == [0]


# Causes.


class OverwriteAndSin(Overwrite):
    """Forgets a path where a value is used twice, and is wrong in sines."""

    name = "overwrite-and-sin"
    rules = rules_with(sin=lambda g, y, a: (g,))


class ExpAndSin(TapeEngine):
    """Two wrong formulas."""

    name = "exp-and-sin"
    rules = rules_with(exp=lambda g, y, a: (g,), sin=lambda g, y, a: (g,))


def _accepted(*entries: str | pr.Program) -> Baseline:
    """Return a baseline of causes, given by name, and of programs with a wrong gradient."""

    def entry(one: str | pr.Program) -> BaselineEntry:
        if isinstance(one, str):
            return BaselineEntry("", "a", "https://b", cause=one)
        return BaselineEntry("gradient", "a", "https://b", one)

    return Baseline(tuple(map(entry, entries)))


@pytest.fixture(scope="module")
def triage() -> Triage:
    return Triage(OverwriteAndSin(), TORCH, ("add", "sin"))


#: A program that the tape gets wrong, and one that needs both causes.
ONE = program_from_text(TWICE)
BOTH = program_from_text("x0 = leaf(3.0)\nx1 = sin(x0)\nx2 = add(x1, x0)\nbackward(x2)")


@pytest.mark.parametrize(
    ("accepted", "names"),
    [
        (("overwrite",), ["overwrite"]),
        (("sin",), ["sin"]),
        (("sin", "overwrite"), ["overwrite", "sin"]),
        ((ONE,), ["overwrite"]),
        ((BOTH,), []),
        (("neg",), []),
    ],
)
def test_an_entry_accepts_one_cause_and_hides_no_other(
    accepted: tuple[str | pr.Program, ...], names: list[str], triage: Triage
) -> None:
    matcher = BaselineMatcher(_accepted(*accepted), triage)
    assert sorted(c.name for c in triage.causes()) == ["overwrite", "sin"]
    assert sorted(c.name for c in triage.causes() if matcher.entry(c) is not None) == names
    assert matcher.stale() == (matcher.baseline.entries if accepted == ("neg",) else ())


def test_a_search_reports_the_other_cause() -> None:
    known = _accepted("exp")
    result = search(ExpAndSin(), TORCH, 40, ops=("exp", "sin", "add"), baseline=known)
    assert [cause.name for cause in result.causes] == ["sin"]
    assert result.known[known.entries[0]] > 0
    assert result.stale == ()


@pytest.mark.parametrize(
    "program",
    [
        TWICE,
        TWICE.replace("add", "mul"),
        "x0 = leaf([1.5, 2.5])\nx1 = neg(x0)\nx2 = mul(x1, x0)\nbackward(x2, gradient=[1.0, -2.0])",
    ],
)
def test_any_program_of_a_cause_alone_accepts_all_of_its_programs(program: str) -> None:
    known = _accepted(program_from_text(program))
    result = search(Overwrite(), TORCH, 60, ops=("add", "mul", "neg"), baseline=known)
    assert result.ok
    assert result.known[known.entries[0]] == result.failing > 5


def test_an_entry_of_a_cause_is_read_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("known.toml").write_text(CAUSE)
    status, result = _check(OVERWRITE, "--known", "known.toml")
    assert status == 0
    (entry,) = result["known"]
    assert (entry["kind"], entry["text"], entry["occurs"]) == ("", "cause overwrite", True)
    assert entry["programs"] > 5
    assert "known, found " in capsys.readouterr().out


def test_a_cause_that_is_gone_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("known.toml").write_text(CAUSE)
    status, result = _check("dezero", "--known", "known.toml")
    assert status == 1
    assert result["known"][0]["occurs"] is False
    out = capsys.readouterr().out
    assert "known finding no longer occurs: remove it" in out
    assert "cause overwrite" in out


# What no longer occurs.


def test_a_known_finding_that_is_gone_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    status, result = _check("dezero", "--known", "known.toml")
    assert status == 1
    assert result["verdict"] == "findings"
    assert result["known"][0]["occurs"] is False
    out = capsys.readouterr().out
    assert "known finding no longer occurs: remove it" in out
    assert KNOWN.url in out


def test_whether_it_occurs_is_seen_by_running_it_not_by_chance() -> None:
    rare = TWICE.replace("3.0", "[[[7.5, -9.0]]]").replace("backward(x1)", "backward(x1, gradient=")
    Path("known.toml").write_text(LIST.replace(TWICE, rare + "[[[1.0, 2.0]]])"))
    status, result = _check(OVERWRITE, "--known", "known.toml", "--examples", "1")
    assert status == 0
    assert (result["known"][0]["programs"], result["known"][0]["occurs"]) == (0, True)


def test_one_of_another_kind_does_not_occur() -> None:
    assert KNOWN.occurs(Overwrite(), TORCH)
    other = BaselineEntry("accumulation", "a", "https://b", KNOWN.program)
    assert not other.occurs(Overwrite(), TORCH)
    assert search(Overwrite(), TORCH, 0, baseline=Baseline((KNOWN, other))).stale == (other,)


def test_probes_have_a_name_instead_of_a_program() -> None:
    entry = LIST.replace(f"program = '''\n{TWICE}\n'''", 'probe = "wide-use"')
    Path("known.toml").write_text(entry)
    (known,) = load_baseline(Path("known.toml")).entries
    assert known.where == "probe wide-use"
    assert known.occurs(Overwrite(), TORCH)
    assert not known.occurs(DEZERO, TORCH)


# Proposals.


def test_proposals_go_to_a_file_of_their_own_and_need_reasons(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = Path("known.toml").read_bytes()
    arguments = ["check", "--engine", OVERWRITE, "--examples", "30", "--propose-known", "new.toml"]
    assert main(arguments) == 1
    text = Path("new.toml").read_text()
    entries = tomllib.loads(text)["known"]
    assert f"{len(entries)} proposals written to new.toml" in capsys.readouterr().out
    assert [e["program"].strip() for e in entries] == [TWICE]
    assert Path("known.toml").read_bytes() == before
    with pytest.raises(BaselineError, match="entry 1: reason"):
        load_baseline(Path("new.toml"))
    # Completed by a person, they are all that there is.
    completed = text.replace('reason = ""', 'reason = "a"').replace('url = ""', 'url = "https://b"')
    Path("done.toml").write_text(completed)
    arguments = ["check", "--engine", OVERWRITE, "--examples", "30", "--known", "done.toml"]
    assert main(arguments) == 0


def test_a_finding_of_a_probe_is_proposed_by_its_name() -> None:
    assert propose(Path("new.toml"), [("depth", None, "deep-chain"), ("flaky", None, "")]) == 1
    (entry,) = tomllib.loads(Path("new.toml").read_text())["known"]
    assert (entry["kind"], entry["probe"]) == ("depth", "deep-chain")


def test_what_is_known_is_not_proposed() -> None:
    status, _ = _check(OVERWRITE, "--known", "known.toml", "--propose-known", "new.toml")
    assert status == 0
    assert not Path("new.toml").exists()


@pytest.mark.parametrize("file", ["known.toml", "nowhere/new.toml"])
def test_proposals_overwrite_nothing(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("known.toml").read_bytes()
    assert main(["check", "--engine", OVERWRITE, "--propose-known", file]) == 2
    assert Path("known.toml").read_bytes() == before
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert file in err


# Malformed lists.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[known", "it is no TOML: "),
        ("knwon = 3", "unknown field 'knwon'; there are known"),
        ("known = 3", "known is 3, not a list"),
        (
            LIST.replace("reason", "why"),
            "entry 1: it has an unknown field 'why'; there are reason, url,",
        ),
        (LIST.replace('reason = "waits for the new traversal"', ""), "entry 1: reason is missing"),
        (LIST.replace('url = "https://example.org/issues/12"', ""), "entry 1: url is missing"),
        (LIST.replace("https://example.org/issues/12", ""), "url is '', not a URL"),
        (LIST.replace("https://example.org/issues/12", "later"), "url is 'later', not a URL"),
        (LIST.replace('"gradient"', '"gradients"'), "kind is 'gradients', not one of value, "),
        (LIST.replace('"gradient"', "3"), "kind is 3, not text"),
        (LIST.replace("add(x0, x0)", "add(x0, x9)"), "there is no value x9 yet"),
        (LIST + 'probe = "wide-use"', "it needs one of program, probe and cause"),
        (LIST + 'cause = "overwrite"', "it needs one of program, probe and cause"),
        (CAUSE + 'kind = "gradient"', "a program and a probe need a kind, and a cause has none"),
        (LIST.replace('kind = "gradient"', ""), "a program and a probe need a kind"),
        (CAUSE + CAUSE, "entry 2: it is there twice"),
        (LIST + LIST, "entry 2: it is there twice"),
        (
            LIST.replace(f"program = '''\n{TWICE}\n'''", 'probe = "wide"'),
            "probe is 'wide', not one of ",
        ),
        (
            LIST.replace(f"program = '''\n{TWICE}\n'''", ""),
            "it needs one of program, probe and cause",
        ),
    ],
)
def test_a_malformed_list_is_one_line(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("known.toml").write_text(text)
    assert main(["check", "--engine", OVERWRITE, "--known", "known.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("parity: error: known.toml")
    assert words in err


def test_a_list_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--engine", OVERWRITE, "--known", "other.toml"]) == 2
    assert "parity: error: other.toml cannot be read" in capsys.readouterr().err


# pytest.


def test_a_property_counts_what_is_known_and_stops_at_what_is_not() -> None:
    decoder = Decoder.of(PROFILES["gradients"], Overwrite())
    other = BaselineEntry(
        "gradient", "a", "https://b", program_from_text(TWICE.replace("add(x0, x0)", "neg(x0)"))
    )
    for entries, found in (((KNOWN,), 0), ((other,), 1)):
        outcome = run_property(decoder, Overwrite(), TORCH, 64, 0, Baseline(entries))
        assert len(outcome.reported) == found
        assert outcome.known == (Counter() if found else Counter({KNOWN: outcome.known[KNOWN]}))
        assert bool(outcome.known) is not bool(found)


def _pytest(*arguments: str) -> tuple[int, str]:
    Path("pytest.ini").touch()
    tests = ["parity.suite.test_known", "parity.suite.test_gradients::test_gradients_equal"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs", tests[0]]
    command += [tests[1] + "[gradients]", "--programs", "300", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_suite_accepts_what_is_known() -> None:
    status, text = _pytest("--engine", OVERWRITE, "--parity-known", "known.toml")
    assert status == 0, text
    assert "2 passed" in text
    assert f" times: {KNOWN}" in text


def test_the_suite_fails_where_a_known_finding_is_gone() -> None:
    status, text = _pytest("--engine", "dezero", "--parity-known", "known.toml")
    assert status == 1
    assert "1 failed, 1 passed" in text
    assert "known finding no longer occurs: remove it" in text


def test_the_suite_refuses_a_malformed_list() -> None:
    Path("known.toml").write_text("[[known]]")
    status, text = _pytest("--engine", "dezero", "--parity-known", "known.toml")
    assert status == 2
    assert "parity: error: known.toml: entry 1: reason is missing" in text
