"""``parity adapter --scan``: the operations of a library, and which compute something else."""

from __future__ import annotations

import multiprocessing as mp
import sys
from pathlib import Path

import numpy as np
import pytest

from parity._util.errors import CANNOT_RUN
from parity.cli.main import main
from parity.engines import scan as scanning
from parity.engines.builtin import FRAMEWORKS
from parity.engines.load import EngineError, load_engine

#: NumPy with an ``exp`` that is 2**x, a ``log`` of vectors alone, and a ``sin`` that crashes.
LIBRARY = """
import os
from numpy import *
asarray = asarray
exp = exp2
def log(a):
    if a.ndim > 1:
        raise ValueError("only vectors")
    import numpy
    return numpy.log(a)
def sin(a):
    os._exit(3)
"""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scan few operations, since each process imports PyTorch."""
    names = ("exp", "log", "sin", "cos", "erf")
    monkeypatch.setattr(scanning, "OPS", {name: scanning.OPS[name] for name in names})


def test_what_the_operations_compute() -> None:
    functions = {"exp": np.exp2, "cos": np.cos}
    seen = {
        name: scanning.compared(name, functions, np.asarray, np.asarray)
        for name in ("exp", "cos", "erf")
    }
    found = scanning.Scan("mine")
    for name, each in seen.items():
        found.add(name, each)
    assert found.same == ["cos"]
    assert "in PyTorch" in found.other["exp"]
    assert found.missing == ["erf"]


def test_an_operation_that_raises_for_some_operands() -> None:
    found = scanning.Scan("mine")
    found.add("log", ["", "raises ValueError: only vectors"])
    found.add("exp", ["raises ValueError: no", "raises ValueError: no"])
    assert found.partly == {"log": "raises ValueError: only vectors"}
    assert found.other == {"exp": "raises ValueError: no"}


@pytest.mark.slow
def test_a_scan_goes_on_after_a_crash(
    few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing_library.py").write_text(LIBRARY)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = scanning.scan("crashing_library")
    assert found.same == ["cos"]
    assert "ends the process" in found.other["sin"]
    assert "in PyTorch" in found.other["exp"]
    assert list(found.partly) == ["log"]
    assert not mp.active_children()


def test_an_unknown_module_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapter", "--scan", "no_such_library"]) == CANNOT_RUN
    out, err = capsys.readouterr()
    assert err.startswith("parity: error: no_such_library: ")
    assert len(err.splitlines()) == 1
    assert not out


def test_a_file_and_a_scan_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapter", "new.py", "--scan", "numpy"]) == CANNOT_RUN
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_missing_framework_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package, installed = FRAMEWORKS[name]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EngineError) as caught:
        load_engine(name)
    assert str(caught.value) == (
        f"engine {name!r} needs {package}, not installed here: pip install {installed}"
    )
