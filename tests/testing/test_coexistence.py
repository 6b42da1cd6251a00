"""The plugin disturbs no run of pytest that is not about parity, whatever a project defines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parity import __file__ as package
from tests.helpers.programs import write_module

SHORT = ("--engine", "--programs", "--reference", "--isolate", "--no-isolate")
CONFTEST = """
    def pytest_addoption(parser):
        parser.addoption({name!r}, default="mine", help="of this project")
"""
ONE = "parity.suite.test_errors"


def _run(folder: Path, *arguments: str, module: bool = True) -> tuple[int, str]:
    """Run pytest in ``folder``; return its status and output."""
    (folder / "pytest.ini").touch()
    script = Path(sys.executable).with_name("pytest")
    command = [sys.executable, "-m", "pytest"] if module else [str(script)]
    own = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=own,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", SHORT)
def test_a_project_may_define_each_short_option(tmp_path: Path, name: str) -> None:
    write_module(tmp_path, "conftest.py", CONFTEST.format(name=name))
    write_module(
        tmp_path,
        "test_own.py",
        f"""
        def test_own(request):
            assert request.config.getoption({name!r}) in ("mine", "yours")
        """,
    )
    assert _run(tmp_path)[0] == 0
    status, output = _run(tmp_path, f"{name}=yours", "test_own.py")
    assert status == 0, output


def test_an_option_of_the_project_stays_its_own_where_the_suite_is_run(tmp_path: Path) -> None:
    write_module(tmp_path, "conftest.py", CONFTEST.format(name="--engine"))
    status, output = _run(
        tmp_path, "--pyargs", ONE, "--engine", "innodb", "--programs", "40",
        "--parity-engine", "torch",
    )  # fmt: skip
    assert status == 0, output
    assert "(torch) against torch" in output
    assert "parity: 40 programs" in output


def test_short_options_are_unknown_outside_of_the_suite(tmp_path: Path) -> None:
    write_module(tmp_path, "test_own.py", "def test_own(): pass")
    status, output = _run(tmp_path, "test_own.py", "--engine=dezero")
    assert status == 4
    assert "unrecognized arguments: --engine=dezero" in output


@pytest.mark.parametrize("arguments", [["--engine", "dezero"], ["--engine=dezero"]])
def test_short_options_hold_for_a_path_of_the_suite(tmp_path: Path, arguments: list[str]) -> None:
    suite = str(Path(package).parent / "suite" / "test_errors.py")
    status, output = _run(tmp_path, suite, *arguments, "--programs", "40", "--no-isolate")
    assert status == 0, output
    assert "(dezero) against torch" in output
    assert "parity: 40 programs" in output


@pytest.mark.parametrize("init", [True, False])
@pytest.mark.parametrize("module", [True, False])
@pytest.mark.parametrize("argument", ["parity", "parity/", "."])
def test_a_project_may_have_a_folder_named_parity(
    tmp_path: Path, init: bool, module: bool, argument: str
) -> None:
    if init:
        write_module(tmp_path, "parity/__init__.py", "EVEN = 0")
    write_module(
        tmp_path,
        "parity/test_bits.py",
        "import parity\n\ndef test_even(): assert parity.EVEN == 0"
        if init
        else "def test_even(): pass",
    )
    status, output = _run(tmp_path, argument, module=module)
    assert status == 0, output
    assert "1 passed" in output


def test_a_package_that_hides_parity_is_named(tmp_path: Path) -> None:
    write_module(tmp_path, "parity/__init__.py", "")
    write_module(tmp_path, "test_own.py", "def test_own(parity): pass")
    status, output = _run(tmp_path, "test_own.py")
    assert status == 2
    assert f"a package of the same name, {tmp_path / 'parity' / '__init__.py'}" in output


def test_another_run_loads_nothing_of_parity(tmp_path: Path) -> None:
    write_module(
        tmp_path,
        "test_unrelated.py",
        """
        import sys

        def test_nothing_is_loaded():
            ours = {name for name in sys.modules if name.partition(".")[0] in ("parity", "dezero")}
            assert ours == set()
            assert {"torch", "numpy", "mpmath", "filelock"} & set(sys.modules) == set()
        """,
    )
    status, output = _run(tmp_path, "test_unrelated.py")
    assert status == 0, output
    assert "parity" not in output.partition("plugins:")[2].partition("\n")[2]


def test_benchmarks_of_another_project_keep_their_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    write_module(
        tmp_path,
        "test_it.py",
        """
        import os

        def test_it(benchmark):
            benchmark(len, "")
            assert "OPENBLAS_NUM_THREADS" not in os.environ
        """,
    )
    status, output = _run(tmp_path, "--benchmark-only")
    assert status == 0, output


def test_benchmarks_of_the_suite_run_on_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    write_module(
        tmp_path,
        "conftest.py",
        """
        import os
        import sys

        import pytest

        loaded = "numpy" in sys.modules

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(session):
            assert not loaded
            assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
            return True
        """,
    )
    status, output = _run(tmp_path, "--benchmark-only", "--pyargs", "parity", ".")
    assert status == 0, output
