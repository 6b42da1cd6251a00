"""``pytest --pyargs parity`` in a project of its own, which names its engine once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parity import __file__ as package
from tests.helpers.programs import write_module

ADAPTER = """
    from parity.diagnose.defects.engine import TapeEngine

    class Mine(TapeEngine):
        name = "mine"

    class Other(TapeEngine):
        name = "other"

    class Aborts(TapeEngine):
        name = "aborts"

        def __init__(self):
            super().__init__()
            self.ops = {"add": self.ops["add"]}

        def backward(self, t, gradient=None, **flags):
            import os
            if t.node is None:  # in few programs: each costs a process
                os.abort()
            super().backward(t, gradient, **flags)
"""
PYPROJECT = """
    [tool.pytest.ini_options]
    parity_engine = "adapter.py:Mine"
"""
HOOK = """
    def pytest_parity_engine(config):
        return "adapter.py:Other"
"""
OWN = """
    def test_my_engine(parity):
        assert parity.engine.name == "mine"
        parity.check("gradients", share=0.1)
"""
ONE = "parity.suite.test_gradients::test_gradients_equal[gradients]"


def _run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Status and output of a pytest in ``folder``, where ``parity`` is as if installed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--parity-programs", "40"]
    environment = {**os.environ, "PYTHONPATH": str(Path(package).parents[1])}
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, cwd=folder, env=environment
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_module(tmp_path, "adapter.py", ADAPTER)
    write_module(tmp_path, "pyproject.toml", PYPROJECT)
    return tmp_path


def test_the_engine_of_the_ini_file_whose_path_starts_from_its_folder(project: Path) -> None:
    write_module(project, "tests/test_own.py", OWN)
    status, output = _run(project / "tests", "--pyargs", ONE, "test_own.py")
    assert status == 0, output
    assert "mine 1 (../adapter.py:Mine) against torch" in output
    assert "2 passed" in output


def test_the_hook_wins_over_the_file_and_the_command_line_over_both(project: Path) -> None:
    write_module(project, "conftest.py", HOOK)
    status, output = _run(project, "--pyargs", ONE)
    assert status == 0, output
    assert "other 1 (adapter.py:Other) against torch" in output
    status, output = _run(project, "--pyargs", ONE, "--engine", "dezero")
    assert status == 0, output
    assert "(dezero) against torch" in output


def test_the_engine_of_a_project_is_not_loaded_for_other_tests(project: Path) -> None:
    write_module(project, "adapter.py", "raise ValueError")
    write_module(project, "test_own.py", "def test_other(): pass")
    status, output = _run(project)
    assert status == 0, output
    assert "1 passed" in output


def test_an_engine_by_file_is_isolated_so_that_a_crash_fails_a_test(project: Path) -> None:
    status, output = _run(project, "--pyargs", ONE, "--engine", "adapter.py:Aborts")
    assert status == 1, output
    assert "crash: the engine ends the process that it runs in" in output
    assert "the process was ended by SIGABRT" in output
    assert "x1 = " not in output
    assert "1 failed" in output


def test_isolation_can_be_switched_off(project: Path) -> None:
    status, output = _run(project, "--pyargs", ONE, "--engine", "adapter.py:Aborts", "--no-isolate")
    assert status == 1, output
    assert "SystemExit: os.abort() was called (adapter.py:20)" in output
