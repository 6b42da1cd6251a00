"""``parity bench``: the JSON, the exit status, what is kept of an interrupted run, --base."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dezero
from parity.bench import generator, revisions, session
from parity.cli import bench
from parity.cli.main import main
from parity.cli.options import write_json

WRONG = """
from parity.engines.adapters.dezero import Dezero


class Wrong(Dezero):
    ops = {**Dezero.ops, "add": lambda a, b: a + b * 2.0}
"""
SLOW = """
import time as _time

_fast = Variable.backward


def _slow(self, *args, **kwargs):
    end = _time.process_time() + 0.02
    while _time.process_time() < end:
        pass
    return _fast(self, *args, **kwargs)


Variable.backward = _slow
"""


@pytest.fixture
def small(monkeypatch):
    """Short runs of everything."""
    monkeypatch.setattr(session, "QUICK_CASES", {(): ("float64",)})
    monkeypatch.setattr(session, "QUICK_LENGTHS", (1000, 2000, 4000))
    monkeypatch.setattr(session, "_QUICK_PROGRAMS", 130)
    monkeypatch.setattr(session.Plan, "seconds", 0.01)


def _run(tmp_path, *options):
    file = tmp_path / "results.json"
    status = main(["bench", "--quick", "--json", str(file), *options])
    return status, json.loads(file.read_text())


def test_the_json_is_what_the_report_reads(small, tmp_path, capsys):
    status, data = _run(tmp_path, "--engines", "dezero,torch", "--workloads", "diamond-ladder")
    assert status == 0
    assert (data["format"], data["format_version"], data["complete"]) == ("parity-bench", 1, True)
    assert list(data["engines"]) == ["dezero", "torch", "numpy"]
    assert data["engines"]["numpy"]["control"] is True
    assert set(data["machine"]) == {
        *("cpu", "cores", "memory_bytes", "system", "load_before", "load_after"),
    }
    assert set(data["versions"]) == {"python", "numpy", "torch", "parity", "revision"}
    assert set(data["workloads"]) == {"diamond-ladder", "deep-chain"}
    assert set(data["settings"]) == {
        *("quick", "threads", "seconds_each", "gc", "clock", "seed", "keep_freed_memory"),
    }
    assert data["settings"]["threads"] == 1
    [times] = data["times"]
    assert (times["workload"], times["shape"], times["dtype"]) == ("diamond-ladder", [], "float64")
    assert set(times["ratios"]) == {"dezero", "numpy"}
    assert [g["engine"] for g in data["lengths"]] == ["dezero", "torch", "numpy"]
    for growth in data["lengths"]:
        assert [p["nodes"] for p in growth["points"]] == [1000, 2000, 4000]
        assert set(growth["time_exponent"]) == {"value", "low", "high"}
        assert growth["ended"] is None
    [memory] = data["memory"]
    assert memory["nodes"] == 50 * 450
    assert memory["engines"]["torch"]["bytes"] > memory["engines"]["numpy"]["bytes"] > 0
    assert [g["what"] for g in data["generator"]] == ["suite", "sweep", "campaign"]
    for made in data["generator"]:
        shares = [made[s] for s in ("decoding", "in_engine", "in_reference", "rest")]
        assert sum(shares) == pytest.approx(1, abs=0.01)
        assert min(shares) >= 0 < made["programs_a_second"]
        assert 100 <= made["programs"] <= 200
    out = capsys.readouterr().out
    assert "growth: time ~ nodes ** exponent" in out
    last = out.splitlines()[-1]
    assert last.startswith("dezero ")
    assert " times as fast as torch over the 1 case that all engines have; " in last or (
        last == "dezero cannot be told from noise in any case."
    )
    forward = [g["forward_microseconds_a_node"] for g in data["lengths"]]
    assert forward[0] > 0 < forward[1]
    assert forward[2] is None
    assert "\x1b" not in out


def test_a_wrong_gradient_is_said_and_not_timed(small, tmp_path, capsys):
    (tmp_path / "engine.py").write_text(WRONG)
    spec = f"{tmp_path}/engine.py:Wrong"
    options = ("--engines", spec, "--workloads", "fan-out,second-order", "--parts", "times")
    status, data = _run(tmp_path, *options)
    assert status == 1
    assert list(data["engines"]) == ["engine.py:Wrong", "torch", "numpy"]
    assert "engine.py:Wrong" not in data["times"][0]["engines"]
    reason = data["times"][0]["not_measured"]["engine.py:Wrong"]
    assert reason.startswith("gradient differs from torch's: leaf 0 by 1")
    assert "wrong: fan-out () float64: engine.py:Wrong: gradient differs" in capsys.readouterr().out


def test_an_interrupted_run_keeps_what_was_measured(small, tmp_path, capsys, monkeypatch):
    show = bench._print

    def stop_after_two(progress, lines):
        show(progress, lines)
        if progress.done == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(bench, "_print", stop_after_two)
    status, data = _run(tmp_path, "--workloads", "chain,fan-out,random-dag", "--parts", "times")
    assert status == 130
    assert data["complete"] is False
    assert [t["workload"] for t in data["times"]] == ["chain", "fan-out"]
    out = capsys.readouterr().out
    assert "interrupted: 1 of 3 measurements were made" in out
    assert "(complete: false)" in out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--engines", "foo"], "--engines 'foo' is not known: use dezero, torch"),
        (["--engines", ","], "--engines names no engine"),
        (["--engines", "nothing.py:Mine"], "engine file 'nothing.py' does not exist"),
        (["--workloads", "q"], "--workloads 'q' is not known: use chain"),
        (["--parts", "speed"], "--parts 'speed' is not known: use times, lengths"),
        (["--threads", "0"], "'0' is not a number, 1 or more"),
        (["--limit", "x"], "'x' is not a ratio above 0"),
        (["--json", "/no/such/folder/x.json"], "there is no folder /no/such/folder"),
    ],
)
def test_what_cannot_be_measured_is_one_line(options, says, capsys):
    assert main(["bench", *options]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "x.json"
    file.write_text("before")
    with pytest.raises(ValueError, match="Out of range float"):
        write_json("--json", file, {"bad": float("nan")})
    assert file.read_text() == "before"
    write_json("--json", file, {"good": 1})
    assert json.loads(file.read_text()) == {"good": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_the_generator_runs_the_same_programs_for_a_seed():
    first, again = (generator.measure_generator("dezero", 120, 5) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert (a["programs"], a["statements"]) == (b["programs"], b["statements"])


# Two revisions.


def _git(folder, *arguments):
    who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A checkout with a copy of dezero, after a first commit without it."""
    monkeypatch.setattr(revisions, "_QUICK_TURNS", 2)
    top = tmp_path / "project"
    top.mkdir()
    _git(top, "init", "-q")
    (top / "README").write_text("a project\n")
    _git(top, "add", ".")
    _git(top, "commit", "-q", "-m", "empty")
    _git(top, "tag", "empty")
    shutil.copytree(Path(dezero.__file__).parent, top / "dezero",
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    _git(top, "add", ".")
    _git(top, "commit", "-q", "-m", "dezero")
    monkeypatch.chdir(top)
    return top


def _trees(top):
    listed = subprocess.run(["git", "worktree", "list"], cwd=top, capture_output=True, text=True)
    return len(listed.stdout.splitlines())


def test_a_slow_revision_is_above_the_limit(repository, tmp_path, capsys):
    with (repository / "dezero" / "__init__.py").open("a") as stream:
        stream.write(SLOW)
    status, data = _run(tmp_path, "--base", "HEAD", "--workloads", "mlp-step")
    assert status == 1
    assert (data["format"], data["complete"], data["slower"]) == ("parity-bench-revisions", True, 1)
    assert len(data["commit"]) == 40
    assert data["rows"][0]["low"] > 2
    assert data["rows"][0]["new_ms"] > 20
    assert "1 of 1 slower than 1.1 times the base" in capsys.readouterr().out
    assert _trees(repository) == 1


def test_the_slow_one_as_base_is_below_any_limit(repository, tmp_path):
    with (repository / "dezero" / "__init__.py").open("a") as stream:
        stream.write(SLOW)
    _git(repository, "commit", "-q", "-a", "-m", "slow")
    _git(repository, "checkout", "-q", "HEAD~1")
    status, data = _run(tmp_path, "--base", "@{-1}", "--workloads", "mlp-step")
    assert (status, data["slower"]) == (0, 0)
    assert data["rows"][0]["high"] < 0.5


def test_a_broken_revision_is_a_row_with_a_reason(repository, tmp_path, capsys):
    (repository / "dezero" / "__init__.py").write_text("raise ImportError('broken')\n")
    status, data = _run(tmp_path, "--base", "HEAD", "--workloads", "mlp-step")
    assert status == 0
    assert data["rows"][0]["reason"] == "new: ImportError: broken"
    assert "not measured: new: ImportError: broken" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("revision", "says"),
    [
        ("nonsense", "--base 'nonsense' is not a revision of"),
        ("--help", "--base '--help' is not a revision of"),
        ("empty", "--base: revision empty has no package dezero"),
    ],
)
def test_a_base_that_is_none_is_one_line(repository, capsys, revision, says):
    assert main(["bench", f"--base={revision}"]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert _trees(repository) == 1


def test_outside_a_checkout_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert main(["bench", "--base", "HEAD"]) == 2
    assert "is not in a git checkout: run it in one" in capsys.readouterr().err


def test_errors_are_lines_also_as_a_module(tmp_path):
    """The class of errors must be the same where the command line is ``__main__``."""
    done = subprocess.run(
        [sys.executable, "-m", "parity.cli.main", "bench", "--engines", "foo"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
