"""Scripts of findings run without parity, and fail while the fault is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import parity
from parity.function.frameworks import TorchFramework
from parity.function.script import import_of, script, sources
from parity.function.settings import COMPILED, REPEATED, SETTINGS, UNCHANGED
from tests.helpers.wrong_functions import WRONG, CountsTiesTwice, Example, Product, Square

BY_NAME = {example.name: example for example in WRONG}
#: A module of the same functions, of which all are right.
MENDED = """
import torch
from tests.helpers.wrong_functions import Product, Square as NoChain
SameTensorHalf = Product
class NumpyBackward:
    apply = torch.sin
"""


def _run(text: str, folder: Path) -> tuple[int, str]:
    """Status and output of a script in a folder without parity."""
    file = folder / "script.py"
    file.write_text(text)
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{root}"}
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, cwd=folder, env=environment
    )
    return done.returncode, done.stdout + done.stderr


def _script(example: Example) -> str:
    (finding,) = parity.check_function(example.f, *example.shapes).findings
    assert "parity" not in finding.script.replace("parity.function", "")
    return finding.script


@pytest.mark.parametrize("name", ["NoChain", "SameTensorHalf", "NumpyBackward"])
def test_a_script_fails_while_the_fault_is_there(name: str, tmp_path: Path) -> None:
    text = _script(BY_NAME[name])
    status, output = _run(text, tmp_path)
    assert (status, "Traceback" in output) == (1, False)
    assert "expected:" in output
    (tmp_path / "mended.py").write_text(MENDED)
    mended = text.replace("tests.helpers.wrong_functions", "mended")
    assert _run(mended, tmp_path)[0] == 0


def test_a_script_where_only_a_range_is_known(tmp_path: Path) -> None:
    assert _run(_script(BY_NAME[CountsTiesTwice.__name__]), tmp_path)[0] == 1


@pytest.mark.parametrize("example", WRONG, ids=[e.name for e in WRONG])
def test_a_script_is_python_and_has_all_that_it_calls(example: Example) -> None:
    text = _script(example)
    compile(text, "script.py", "exec")
    assert f"from tests.helpers.wrong_functions import {example.name}\n" in text


def test_each_variant_has_the_text_of_what_it_calls() -> None:
    for setting in (REPEATED, UNCHANGED, *SETTINGS, COMPILED):
        names = {text.split("(")[0].split()[-1] for text in sources((setting.run.__name__,))}
        assert {setting.run.__name__, "outputs_of", "leaves_of"} <= names


def test_a_function_without_a_name_has_its_inputs_as_code() -> None:
    function = lambda x: 2 * x.detach() + x  # noqa: E731
    (finding,) = parity.check_function(function, (2,), order=1).findings
    assert finding.script.startswith("import torch\n\nxs = [torch.tensor([")


def test_names_by_which_functions_are_imported() -> None:
    assert import_of(Square.apply) == ("tests.helpers.wrong_functions", "Square.apply")
    assert import_of(_run) == (__name__, "_run")
    assert import_of(lambda x: x) is None


def test_the_title_of_a_script_cannot_end_its_docstring() -> None:
    from parity.function.script import Shows

    text = script(Product.apply, TorchFramework(), 'a """ and \\', [], [], Shows())
    compile(text, "script.py", "exec")
