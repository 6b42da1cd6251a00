"""``pytest parity``: options, header, summary, skips and failures, as a user sees them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parity.campaign.hypothesis_search import Tally, run_property
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from tests.helpers.programs import DEZERO, TORCH, write_module

Runner = Callable[..., tuple[int, list[str], list[str]]]


def _run(folder: Path, *arguments: str) -> tuple[int, list[str], list[str]]:
    """Status, lines of stdout and of stderr of a pytest in ``folder``."""
    (folder / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    # It is a run of its own, also where this one is part of a parallel run.
    own = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=own)
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def _suite(folder: Path, *arguments: str) -> tuple[int, list[str], list[str]]:
    return _run(folder, "--pyargs", "parity", "--programs", "300", *arguments)


def _counts(lines: list[str]) -> tuple[int, float, float]:
    """What the summary says: programs, percentages of reuse and of five uses or more."""
    pattern = r"(\d+) programs; ([\d.]+)% use a value twice or more, ([\d.]+)% five times or more"
    (found,) = [match for line in lines if (match := re.fullmatch(pattern, line))]
    return int(found[1]), float(found[2]), float(found[3])


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[str], list[str]]:
    """The whole suite on dezero."""
    return _suite(tmp_path_factory.mktemp("right"), "--parity-seed", "5")


def test_the_suite_passes_on_dezero(right: tuple[int, list[str], list[str]]) -> None:
    status, lines, errors = right
    assert status == 0
    assert errors == []
    # dezero has no operations without rules.
    assert re.search(r"= \d+ passed, 1 skipped(, \d+ deselected)? in ", lines[-1])


def test_the_header_says_versions_engine_and_budget(
    right: tuple[int, list[str], list[str]],
) -> None:
    lines = right[1]
    assert any(
        re.fullmatch(r"parity \S+: dezero \S+ \(dezero\) against torch \S+", line) for line in lines
    )
    budget = r"parity: 300 programs, seed 5; numpy \S+, hypothesis \S+"
    assert any(re.fullmatch(budget, line) for line in lines)


def test_the_summary_counts_programs(right: tuple[int, list[str], list[str]]) -> None:
    programs, reused, hubs = _counts(right[1])
    assert 300 <= programs < 600
    assert 0 < hubs < reused <= 100


def test_most_programs_reuse_values_where_the_budget_is_not_tiny() -> None:
    """At least 90% use a value twice, 30% five times, as the suite counts it."""
    total = Tally()
    for profile in ("general", "gradients", "accumulation", "broadcasting"):
        decoder = Decoder.of(PROFILES[profile], DEZERO)
        tally = run_property(decoder, TORCH, TORCH, 800, 0).tally
        total.programs += tally.programs
        total.reused += tally.reused
        total.hubs += tally.hubs
    assert total.programs >= 3200
    assert total.reused >= 0.9 * total.programs
    assert total.hubs >= 0.3 * total.programs


WRONG = """
    from parity.diagnose.defects.engine import RULES, TapeEngine
    from parity.engines import Engine

    class Mine(TapeEngine):
        name = "mine"
        version = "7"
        rules = {name: rule for name, rule in RULES.items() if name != "split"}
        grad_tensor = Engine.grad_tensor

        def add(self, grads, t, g):
            grads[t] = g
"""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, list[str]]:
    """Parts of the suite on a wrong engine without some operations and abilities."""
    folder = tmp_path_factory.mktemp("wrong")
    write_module(folder, "mine.py", WRONG)
    write_module(
        folder,
        "test_mine.py",
        """
        def test_my_gradients(parity):
            parity.check("gradients", share=0.1)
        """,
    )
    modules = ("multi_output", "second_order", "exactness")
    tests = [f"parity.suite.test_{name}" for name in modules]
    gradients = "parity.suite.test_gradients::test_gradients_equal[gradients]"
    arguments = ["--pyargs", gradients, *tests, "--engine", "mine.py:Mine", "--programs", "300"]
    status, lines, _ = _run(folder, "test_mine.py", *arguments, "-rsf")
    return folder, status, lines


def test_a_wrong_engine_fails(wrong: tuple[Path, int, list[str]]) -> None:
    _, status, lines = wrong
    assert status == 1
    assert any("(mine.py:Mine) against torch" in line for line in lines)
    assert any(line.startswith("FAILED") and "[gradients]" in line for line in lines)


def test_a_failure_shows_program_values_kind_and_script(
    wrong: tuple[Path, int, list[str]],
) -> None:
    folder, _, lines = wrong
    first = lines.index("gradient: a reused variable's gradient is overwritten instead of summed")
    shown = lines[first : first + 7]
    assert shown[1:4] == ["    x0 = leaf(3.0)", "    x1 = add(x0, x0)", "    backward(x1)"]
    assert re.fullmatch(r"  expected \(torch \S+\)   actual \(mine 7\)", shown[4])
    assert re.fullmatch(r"  2.0 +1.0", shown[5])
    assert re.fullmatch(r"  error: \S+ times what rounding explains", shown[6])
    assert lines[first + 7] == "  typical code: x.grad = gx"
    assert lines[first + 8].startswith("  how to mend it: x.grad = gx if x.grad is None else")
    assert lines[first + 9] == "  name: overwrite (parity explain overwrite says more)"
    match = re.fullmatch(r"  script: (.*)", lines[first + 10])
    assert match
    assert (folder / match[1]).is_file()
    assert "def on_torch" in (folder / match[1]).read_text()
    assert not any("Traceback" in line for line in lines)


def test_what_the_engine_lacks_is_skipped_with_the_reason(
    wrong: tuple[Path, int, list[str]],
) -> None:
    reasons = [line for line in wrong[2] if line.startswith("SKIPPED")]
    for lacking in ("split", "grad_tensor", "bitwise"):
        assert any(reason.endswith(f": mine 7 has no {lacking}") for reason in reasons)


def test_an_engine_of_few_abilities_skips_most_and_passes_the_rest(tmp_path: Path) -> None:
    write_module(
        tmp_path,
        "bare.py",
        """
        from parity.diagnose.defects.engine import TapeEngine
        from parity.engines import Engine

        class Mine(Engine):
            name = "bare"
            dtypes = ("float64",)
            max_ndim = 0

            def __init__(self):
                self.small = TapeEngine()
                self.ops = {name: self.small.ops[name] for name in ("add", "mul")}

            def leaf(self, array):
                return self.small.leaf(array)

            def value(self, t):
                return t.data

            def grad(self, t):
                return None if t.grad is None else float(t.grad)

            def backward(self, t, gradient=None, *, retain_graph=False, create_graph=False):
                self.small.backward(t, gradient, retain_graph=retain_graph)
        """,
    )
    status, lines, _ = _suite(tmp_path, "--engine", "bare.py:Mine", "-rs", "-k", "not scale")
    assert status == 0, "\n".join(lines)
    skipped = " ".join(line for line in lines if line.startswith("SKIPPED"))
    for lacking in ("clear_grad", "zero_grad", "buffer", "no_grad", "detach", "float32", "split"):
        assert lacking in skipped
    assert re.search(r"= \d+ passed, \d+ skipped, \d+ deselected in ", lines[-1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "missing.py:Mine"], "engine file 'missing.py' does not exist"),
        (["--programs", "0"], "--parity-programs"),
    ],
)
def test_what_cannot_run_is_one_line_and_status_two(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    status, lines, errors = _run(tmp_path, "--pyargs", "parity", "-k", "errors", *arguments)
    assert status == 2
    shown = [line for line in (*lines, *errors) if line.strip()]
    assert len(shown) == 1
    assert "parity: error: " in shown[0]
    assert words in shown[0]


def test_processes_share_a_random_seed_that_is_named_and_count_as_one(tmp_path: Path) -> None:
    write_module(
        tmp_path,
        "test_mine.py",
        """
        import os
        import pathlib

        import pytest

        @pytest.mark.parametrize("profile", ["general", "modes", "dtypes", "aliasing"])
        def test_profile(parity, profile):
            worker = os.environ.get("PYTEST_XDIST_WORKER", "one")
            pathlib.Path(f"seed-{worker}-{profile}").write_text(str(parity.seed))
            parity.check(profile, share=0.25)
        """,
    )
    arguments = ["--parity-engine", "dezero", "--parity-programs", "300", "test_mine.py"]
    arguments += ["--parity-seed"]
    status, several, _ = _run(tmp_path, *arguments, "random", "-n", "2")
    assert status == 0
    (named,) = [m for line in several if (m := re.match(r"parity: .* seed (\d+);", line))]
    seeds = {file.name.split("-")[1]: file.read_text() for file in tmp_path.glob("seed-*")}
    assert seeds == {"gw0": named[1], "gw1": named[1]}
    status, one, _ = _run(tmp_path, *arguments, named[1])
    assert status == 0
    assert _counts(one) == _counts(several)


def test_the_fixture_serves_tests_of_a_user(wrong: tuple[Path, int, list[str]]) -> None:
    folder, _, lines = wrong
    assert any(line.startswith("FAILED test_mine.py::test_my_gradients") for line in lines)
    assert (folder / "parity-findings" / "test_my_gradients-gradient.py").is_file()


def test_options_hold_for_tests_of_a_user_without_an_engine_named(tmp_path: Path) -> None:
    write_module(
        tmp_path,
        "test_mine.py",
        """
        def test_options(parity):
            assert (parity.programs, parity.seed) == (100, 9)
            assert parity.reference.name == "dezero"
        """,
    )
    arguments = ["--parity-programs", "100", "--parity-seed", "9", "--parity-reference", "dezero"]
    status, lines, _ = _run(tmp_path, *arguments, "test_mine.py")
    assert status == 0, "\n".join(lines)


def test_options_are_explained(tmp_path: Path) -> None:
    status, lines, _ = _run(tmp_path, "--help")
    text = " ".join(lines)
    assert status == 0
    for option in (
        "--parity-engine=SPEC",
        "--parity-reference=SPEC",
        "--parity-programs=N",
        "--parity-seed=S",
    ):
        assert option in text
