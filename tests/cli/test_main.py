"""The command: exit status, JSON, and one line on stderr where it cannot run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parity import __version__
from parity.campaign.search import search
from parity.cli.main import main
from parity.language import program as pr
from parity.language.json_format import dumps, program_from_json, program_to_json
from parity.language.table import with_rules
from parity.oracle.finding import KINDS
from tests.helpers.output import without_version
from tests.helpers.programs import DEZERO, write_module

OVERWRITE = "parity.diagnose.defects.traversal:Overwrite"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings are written below the working folder; a chain as deep as the stack will do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    monkeypatch.setattr(sys, "path", list(sys.path))


def _check(*arguments: str) -> int:
    """The exit status, also where the parser of arguments ends the program."""
    try:
        return main(["check", *arguments])
    except SystemExit as end:
        return int(end.code or 0)


def _json(*arguments: str) -> tuple[int, dict[str, Any]]:
    status = _check(*arguments, "--json", "result.json")
    return status, json.loads(Path("result.json").read_text())


# Exit status and text.


@pytest.mark.parametrize("engine", ["dezero", "torch", "parity.diagnose.defects.engine:TapeEngine"])
def test_parity_ends_with_zero(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _check("--engine", engine, "--examples", "70") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == "verdict: parity: no difference in 70 programs"
    assert out.splitlines()[0] == "no fault"
    assert "70 programs, seed 0" in out.splitlines()[1]
    assert not Path("parity-findings").exists()


def test_findings_end_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert _check("--engine", OVERWRITE, "--examples", "30", "--seed", "7") == 1
    out, err = capsys.readouterr()
    assert err.startswith("parity: first fault: a reused variable's gradient is wrong: x0 = leaf(")
    assert len(err.splitlines()) == 1
    assert out.startswith("1 fault: 1 wrong gradient\noverwrite 1 against torch ")
    assert "30 programs, seed 7" in out
    assert "not tested, since the engine lacks it: 22 operations and abilities" in out
    for line in (
        "gradient: a reused variable's gradient is overwritten instead of summed",
        "    x0 = leaf(3.0)",
        "    x1 = add(x0, x0)",
        "    backward(x1)",
        "  typical code: x.grad = gx",
        "  how to mend it: x.grad = gx if x.grad is None else x.grad + gx",
        "  script: parity-findings/overwrite/gradient-1.py",
        "scripts: parity-findings/overwrite",
    ):
        assert line in out.splitlines()
    assert "  expected (torch)  actual (overwrite 1)\n  2.0  1.0\n" in without_version(out)
    assert out.splitlines()[-1].startswith("verdict: findings: ")
    assert out.splitlines()[-1].endswith(" of 30 programs differ")
    assert Path("parity-findings/overwrite/gradient-1.py").is_file()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"parity {__version__}\n"


def test_quirks_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    write_module(
        Path(),
        "quirky.py",
        """
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            name = "mine"
            quirks = frozenset({"seeds-any-shape-with-ones", "keeps-intermediate-grads"})
        """,
    )
    status, result = _json("--engine", "quirky.py:Mine", "--examples", "14")
    assert status == 0
    assert result["quirks"] == ["keeps-intermediate-grads", "seeds-any-shape-with-ones"]
    out = capsys.readouterr().out
    for name, words in result["quirks_say"].items():
        assert f"quirk {name}: {words}" in out.splitlines()


def test_findings_go_to_the_folder_that_is_named() -> None:
    status, result = _json("--engine", OVERWRITE, "--examples", "20", "--findings", "a/b")
    assert status == 1
    scripts = [Path(f["script"]) for f in result["findings"] if f["script"]]
    assert scripts
    assert all(script.parent == Path("a/b") and script.is_file() for script in scripts)
    assert len(set(scripts)) == len(scripts)


def _status_of_process(*arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "parity.cli.main", "check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_process_ends_with_findings() -> None:
    status, out, err = _status_of_process("--engine", OVERWRITE, "--examples", "20", "--ops", "add")
    assert (status, len(err.splitlines())) == (1, 1)
    assert "x1 = add(x0, x0)" in out


def test_a_process_that_cannot_run_says_so_in_one_line() -> None:
    status, out, err = _status_of_process("--engine", "nothing.py:Mine")
    assert (status, out) == (2, "")
    assert err == "parity: error: engine file 'nothing.py' does not exist\n"


# JSON.

KEYS = {
    "engine": str,
    "reference": str,
    "seed": int,
    "programs": int,
    "seconds": float,
    "ill_conditioned": int,
    "interrupted": bool,
    "stability": dict,
    "verdict": str,
    "untested": list,
    "left_out": dict,
    "quirks": list,
    "quirks_say": dict,
    "warnings": list,
    "findings": list,
    "causes": list,
    "unexplained": int,
    "known": list,
}
FINDING_KEYS = {
    "kind": str,
    "statements": int,
    "leaves": int,
    "program": dict,
    "text": str,
    "engine": (list, str, type(None)),
    "reference": (list, str, type(None)),
    "wrong": (str, type(None)),
    "error_over_bound": (float, type(None)),
    "error_size": (dict, type(None)),
    "diagnosis": list,
    "program_number": int,
    "script": str,
    "repeats": (dict, type(None)),
}
CAUSE_KEYS = {
    "class": str,
    "name": str,
    "where": str,
    "sentence": str,
    "programs": int,
    "witness": dict,
    "quirk": (str, type(None)),
    "alternatives": list,
    "code": str,
    "mend": str,
    "error_size": (dict, type(None)),
    "findings": list,
}


@pytest.mark.parametrize(
    "engine",
    [
        "dezero",
        OVERWRITE,
        *map(
            "parity.diagnose.defects.traversal:{}".format,
            ("InplaceAccumulation", "CreationOrderIgnored"),
        ),
    ],
)
def test_json_has_the_keys_and_types_of_the_contract(engine: str) -> None:
    status, result = _json("--engine", engine, "--examples", "28", "--seed", "3")
    assert list(result) == list(KEYS)
    assert [k for k, kind in KEYS.items() if not isinstance(result[k], kind)] == []
    assert (result["seed"], result["programs"]) == (3, 28)
    assert result["verdict"] == ("findings" if status else "parity")
    assert bool(result["findings"]) == bool(status)
    shown = [(finding["kind"], finding["text"]) for finding in result["findings"]]
    assert len(shown) == len(set(shown))
    for finding in result["findings"]:
        assert list(finding) == list(FINDING_KEYS)
        assert [k for k, kind in FINDING_KEYS.items() if not isinstance(finding[k], kind)] == []
        assert finding["kind"] in KINDS
        if finding["program"]:
            case = program_from_json(finding["program"])
            assert str(case) == finding["text"]
            assert len(case.statements) == finding["statements"]
            assert len(case.leaves) == finding["leaves"]
            assert -1 <= finding["program_number"] < 28
            assert Path(finding["script"]).is_file()
            assert json.dumps(program_to_json(case), sort_keys=True) == dumps(case)
    for cause in result["causes"]:
        assert list(cause) == list(CAUSE_KEYS)
        assert [k for k, kind in CAUSE_KEYS.items() if not isinstance(cause[k], kind)] == []
        assert {result["findings"][i]["text"] for i in cause["findings"]}


def test_json_of_the_book_example() -> None:
    _, result = _json("--engine", OVERWRITE, "--examples", "40")
    finding = next(f for f in result["findings"] if f["program"])
    assert finding["text"] == "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"
    assert (finding["kind"], finding["statements"], finding["leaves"]) == ("gradient", 2, 1)
    assert (finding["engine"], finding["reference"]) == ([1.0], [2.0])
    assert finding["error_over_bound"] > 1e15
    named = finding["diagnosis"][0]
    assert list(named) == ["defect", "agrees", "of", "says"]
    assert (named["defect"], named["agrees"]) == ("overwrite", named["of"])
    assert result["engine"] == "overwrite 1"
    assert result["reference"].startswith("torch ")
    (cause,) = result["causes"]
    assert (cause["class"], cause["name"], cause["where"]) == ("gradient", "overwrite", "")
    assert (cause["witness"], cause["findings"]) == (finding["program"], [0])
    assert 1 < cause["programs"] == named["of"]


def test_findings_are_sorted_with_the_worst_first() -> None:
    write_module(
        Path(),
        "several.py",
        """
        from parity.diagnose.defects.traversal import CreationOrderIgnored

        class Mine(CreationOrderIgnored):
            name = "mine"

            def __init__(self):
                super().__init__()
                self.ops = {**self.ops, "sin": self.ops["cos"]}

            def clear_grad(self, t):
                pass
        """,
    )
    _, result = _json("--engine", "several.py:Mine", "--examples", "84")
    found = [(cause["class"], cause["name"]) for cause in result["causes"]]
    assert [c for c, _ in found] == sorted(
        (c for c, _ in found), key=["gradient", "value", "crash", "resources", "convention"].index
    )
    assert {("gradient", "creation-order-ignored"), ("value", "sin")} <= set(found)
    assert "clear-does-nothing" in dict(map(reversed, found))


def test_untested_lists_operations_and_abilities_once() -> None:
    write_module(
        Path(),
        "lacking.py",
        """
        from parity.diagnose.defects.engine import TapeEngine
        from parity.engines import Engine

        class Mine(TapeEngine):
            name = "mine"
            grad_tensor = Engine.grad_tensor
        """,
    )
    _, result = _json("--engine", "lacking.py:Mine", "--examples", "14")
    untested = result["untested"]
    assert "grad_tensor" in untested
    assert {"sigmoid", "softmax", "linear"} <= set(untested)
    assert len(untested) == len(set(untested))


def test_nothing_that_json_lacks_is_written() -> None:
    write_module(
        Path(),
        "nan.py",
        """
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            name = "mine"

            def store(self, leaf, g):
                super().store(leaf, g * float("nan"))
        """,
    )
    status = _check("--engine", "nan.py:Mine", "--examples", "20", "--json", "result.json")
    assert status == 1

    def refuse(text: str) -> None:
        raise AssertionError(text)

    result = json.loads(Path("result.json").read_text(), parse_constant=refuse)
    assert "nan" in {v for f in result["findings"] for v in f["engine"] or ()}


@pytest.mark.parametrize("engine", [OVERWRITE, "dezero"])
def test_the_same_seed_gives_the_same_json_but_for_the_seconds(engine: str) -> None:
    results = []
    for _ in range(2):
        _, result = _json("--engine", engine, "--examples", "42", "--seed", "11")
        results.append({**result, "seconds": 0})
    assert results[0] == results[1]


def test_another_seed_gives_other_programs(capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for seed in ("1", "4"):
        _check("--engine", OVERWRITE, "--examples", "42", "--seed", seed)
        counts.append(capsys.readouterr().out.splitlines()[-1])
    assert counts[0] != counts[1]


# Where it cannot run.

ADAPTERS = {
    "broken.py": "class Mine(:",
    "empty.py": "",
    "other.py": "class Mine: ...",
    "raising.py": "1 / 0",
    "ending.py": "raise SystemExit(0)",
    "unfinished.py": "from parity.engines import Engine\nclass Mine(Engine):\n    name = 'a'",
    "nameless.py": "from defects.engine import TapeEngine\nclass Mine(TapeEngine):\n    name = ''",
    "without.py": "from parity.diagnose.defects.engine import TapeEngine\nclass Mine(TapeEngine):\n"
    "    def __init__(self):\n        self.ops = {}",
    "unknown.py": "from parity.diagnose.defects.engine import TapeEngine\nclass Mine(TapeEngine):\n"
    "    def __init__(self):\n        self.ops = {'frob': max}",
    "unbuilt.py": "from parity.diagnose.defects.engine import TapeEngine\nclass Mine(TapeEngine):\n"
    "    def __init__(self):\n        raise OSError('no\\ndevice')",
    "odd.py": "from defects.engine import TapeEngine\nclass Mine(TapeEngine):\n    dtypes = 64",
}
UNUSABLE: list[tuple[list[str], str]] = [
    *((["--engine", f"{name}:Mine"], name) for name in ADAPTERS),
    (["--engine", "missing.py:Mine"], "missing.py"),
    (["--engine", "no_such_module_at_all:Mine"], "no_such_module_at_all"),
    (["--engine", "chainer"], "chainer"),
    (["--engine", ""], "engine"),
    (["--engine", "dezero", "--reference", "missing.py:Mine"], "missing.py"),
    (["--engine", "dezero", "--ops", "frob"], "'frob'"),
    (["--engine", "dezero", "--ops", ""], "--ops"),
    (["--engine", "dezero", "--ops", ","], "--ops"),
    (["--engine", "dezero", "--ops", "add;mul"], "'add;mul'"),
    (["--engine", OVERWRITE, "--ops", "add,softmax,pad"], "softmax, pad"),
    (["--engine", "dezero", "--examples", "0"], "0"),
    (["--engine", "dezero", "--examples", "-3"], "-3"),
    (["--engine", "dezero", "--examples", "many"], "many"),
    (["--engine", "dezero", "--examples", "1.5"], "1.5"),
    (["--engine", "dezero", "--seed", "abc"], "abc"),
    (["--engine", "dezero", "--json", "missing/result.json"], "missing"),
    (["--engine", "dezero", "--examples", "2", "--json", "folder"], "folder"),
    (["--engine", OVERWRITE, "--examples", "9", "--findings", "a-file"], "a-file"),
    (["--engine", OVERWRITE, "--examples", "9", "--findings", "a-file/below"], "a-file"),
    (["--no-such-option", "--engine", "dezero"], "--no-such-option"),
    ([], "--engine"),
]


@pytest.mark.parametrize(
    ("arguments", "word"), UNUSABLE, ids=[" ".join(a) or "nothing" for a, _ in UNUSABLE]
)
def test_cannot_run_is_one_line_and_status_two(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in ADAPTERS.items():
        write_module(Path(), name, text)
    Path("folder").mkdir()
    Path("a-file").write_text("")
    assert _check(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert word in err


# Engines that fail in every way end with findings, or are not run: never with a traceback.

#: What an adapter never may do; no program would say more.
REFUSED = {
    "leaf raises": "def leaf(self, array, requires_grad=True): raise ValueError('no')",
    "value raises": "def value(self, t): raise ValueError('no')",
    "grad raises": "def grad(self, t): raise ValueError('no')",
    "value of text": "def value(self, t): return 'text'",
    "value of none": "def value(self, t): return None",
    "value of lists": "def value(self, t): return [[1], [1, 2]]",
    "grad of text": "def grad(self, t): return 'text'",
    "grad of objects": "def grad(self, t): return object()",
    "complex": "def grad(self, t): return None if t.grad is None else t.grad + 0j",
}


@pytest.mark.parametrize("way", REFUSED)
def test_an_adapter_that_breaks_the_contract_is_not_run(
    way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"""
from parity.diagnose.defects.engine import TapeEngine


class Mine(TapeEngine):
    name = "mine"

    {REFUSED[way]}
"""
    Path("mine.py").write_text(text)
    assert _check("--engine", "mine.py:Mine") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "adapter of 'mine': " in err


FAILING = {
    "backward raises": "def backward(self, *a, **k): raise ValueError('no')",
    "grad of lists": "def grad(self, t): return None if t.grad is None else t.grad.tolist()",
    "grad of numbers": "def grad(self, t): return None if t.grad is None else t.grad.sum()",
    "recursion": "def backward(self, t, *a, **k): self.backward(t)",
    "clear raises": "def clear_grad(self, t): raise ValueError('no')",
    "zero raises": "def zero_grad(self, t): raise ValueError('no')",
    "no_grad raises": "def no_grad(self): raise ValueError('no')",
    "values change": "def store(self, leaf, g): super().store(leaf, g); leaf.data += 1",
    "the user's array changes": "def seed(self, t, g):\n"
    "        result = super().seed(t, g)\n"
    "        if g is not None:\n"
    "            g += 1\n"
    "        return result",
}


@pytest.mark.parametrize("way", FAILING)
def test_an_engine_that_fails_ends_with_findings(
    way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"""
from parity.diagnose.defects.engine import TapeEngine


class Mine(TapeEngine):
    name = "mine"

    {FAILING[way]}
"""
    write_module(Path(), "mine.py", text)
    status, result = _json("--engine", "mine.py:Mine", "--examples", "14")
    assert len(capsys.readouterr().err.splitlines()) <= 1  # the first fault
    assert (status, result["verdict"]) == (1, "findings")
    for finding in result["findings"]:
        if finding["program"]:
            compile(Path(finding["script"]).read_text(), "script", "exec")


# Only the operations that were asked for.


@pytest.mark.parametrize("ops", ["add", "sub,exp", "sin", "split,concat", "matmul,add,sum"])
def test_programs_have_only_the_operations_that_are_named(
    ops: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()

    def record(
        cases: Iterable[pr.Program], *_: Any, **__: Any
    ) -> Iterator[tuple[pr.Program, None]]:
        for case in cases:
            seen.update(s.op for s in case.statements if isinstance(s, pr.Apply))
            yield case, None

    monkeypatch.setattr("parity.campaign.search.check_programs", record)
    status, result = _json("--engine", "dezero", "--examples", "140", "--ops", ops)
    assert status == 0
    assert result["programs"] == 140
    assert seen == set(ops.split(","))


def test_spaces_around_operations_do_not_matter() -> None:
    assert _check("--engine", "dezero", "--examples", "5", "--ops", " add , mul ") == 0


def test_every_operation_alone_is_in_parity() -> None:
    for op in with_rules():
        assert search(DEZERO, DEZERO, 14, ops=(op,)).findings == []
