"""``torch.compile`` of whole programs, and what is counted of it."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

from parity._util.process import fuzzing_runtime
from parity.diagnose.whole_script import whole_script
from parity.engines.load import load_engine
from parity.engines.runner import LocalRunner
from parity.engines.whole.runner import WholeRunner
from parity.generate.schedule import decoders_of, stream
from parity.language.text_format import program_from_text
from parity.oracle.check import check_programs
from parity.oracle.finding import Finding, Kind

TWICE = """\
x0 = leaf([3.0, 2.0])
x1 = mul(x0, x0)  # form function
backward(x1, gradient=[1.0, 2.0])
x0 = earlier([5.0, 1.0])"""


def runner_of(backend: str) -> WholeRunner:
    return WholeRunner(LocalRunner(load_engine(f"torch.compile:backend={backend}")))


def test_random_programs_agree() -> None:
    runner = runner_of("aot_eager")
    programs = itertools.islice(stream(decoders_of(runner), 0), 16)
    with fuzzing_runtime():
        found = [f for _, f in check_programs(programs, runner, load_engine("torch"))]
    assert found == [None] * 16
    assert runner.counts["graphs"] >= runner.counts["functions"] > 0


def test_other_strides_compile_again() -> None:
    runner = runner_of("eager")
    runner.run(program_from_text(TWICE.replace("  # form function", "")))
    assert runner.counts["recompilations"] == 1
    assert not runner.counts["functions without a graph"]


def test_levels_end_with_the_backend() -> None:
    levels = ("torch.compile:backend=eager", "torch.compile:backend=aot_eager")
    assert runner_of("aot_eager").levels == levels


def test_the_script_runs_without_parity(tmp_path: Path) -> None:
    program = program_from_text(TWICE)
    finding = Finding(Kind.GRADIENT, 1, "grad", 0, 1.0, 2.0)
    file = tmp_path / "script.py"
    file.write_text(whole_script(program, finding, runner_of("eager"), file.name), "utf-8")
    command = [sys.executable, "-I", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, "they agree" in done.stdout) == (0, True), done.stdout + done.stderr
    wrong = file.read_text("utf-8").replace("(g * b, g * a)", "(g * b, g * b * 0)")
    assert wrong != file.read_text("utf-8")
    file.write_text(wrong, "utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, "they differ" in done.stdout) == (1, True), done.stdout + done.stderr
