"""``--python``: engines in another interpreter, and what is said of one that cannot be used."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from parity.engines.isolation.interpreter import environment, folder_of_parity
from parity.engines.limits import Limits
from parity.engines.load import EngineError
from parity.engines.open import open_runner
from parity.language.text_format import program_from_text


def script(folder: Path, text: str) -> str:
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("echo hello", "no Python interpreter"),
        ("exit 3", "no Python interpreter"),
        ("""echo '{"version": [3, 9, 1], "numpy": true}'""", "is Python 3.9.1"),
        ("""echo '{"version": [3, 12, 1], "numpy": false}'""", "pip install numpy"),
    ],
)
def test_what_is_no_fitting_interpreter_is_said(tmp_path: Path, text: str, says: str) -> None:
    limits = Limits(python=script(tmp_path, text))
    with pytest.raises(EngineError, match=says):
        open_runner("torch", limits=limits)


def test_a_path_without_a_file_is_said() -> None:
    with pytest.raises(EngineError, match="is no file"):
        open_runner("torch", limits=Limits(python="/no/such/python"))


def test_an_engine_in_this_process_has_no_other_interpreter() -> None:
    with pytest.raises(EngineError, match="--isolate"):
        open_runner("torch", isolate=False, limits=Limits(python=sys.executable))


def test_only_the_package_is_added_to_the_path() -> None:
    with folder_of_parity() as folder:
        assert os.listdir(folder) == ["parity"]
    assert "PYTHONPATH" not in environment()


def test_programs_run_there() -> None:
    runner = open_runner("torch", limits=Limits(python=sys.executable))
    try:
        trace = runner.run(program_from_text("x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)"))
    finally:
        runner.close()
    assert trace.failure is None
    assert trace.observations[1].array == 6.0
