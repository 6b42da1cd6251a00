"""Folders of scripts: one for each engine, whose next run replaces its own scripts only."""

from __future__ import annotations

from pathlib import Path

from parity.campaign.result import Report
from parity.campaign.scripts import LIST, own_folder, replace_scripts
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite
from parity.engines.runner import as_runner
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.programs import TORCH

PROGRAM = program_from_text("x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)")
FINDING = check_program(PROGRAM, Overwrite(), TORCH)


class Other(TapeEngine):
    name = Overwrite.name


def reports(count: int) -> list[Report]:
    assert FINDING is not None
    return [Report(FINDING, PROGRAM, number) for number in range(count)]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_second_run_replaces_the_scripts_of_the_first(tmp_path: Path) -> None:
    engine = as_runner(Overwrite())
    folder = own_folder(tmp_path, engine)
    assert folder == tmp_path / "overwrite"
    replace_scripts(reports(2), engine, folder)
    assert names(folder) == ["gradient-1.py", "gradient-2.py", LIST]
    assert own_folder(tmp_path, engine) == folder
    replace_scripts(reports(1), engine, folder)
    assert names(folder) == ["gradient-1.py", LIST]
    replace_scripts([], engine, folder)
    assert not folder.exists()


def test_another_engine_of_the_same_name_has_another_folder(tmp_path: Path) -> None:
    one, other = as_runner(Overwrite()), as_runner(Other())
    replace_scripts(reports(1), one, own_folder(tmp_path, one))
    assert own_folder(tmp_path, other) == tmp_path / "overwrite-2"


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "gradient-1.py").write_text("mine")
    one, other = as_runner(Overwrite()), as_runner(Other())
    replace_scripts(reports(1), one, tmp_path)
    replace_scripts(reports(1), other, tmp_path)
    assert names(tmp_path) == [*(f"gradient-{n}.py" for n in (1, 2, 3)), LIST]
    replace_scripts([], one, tmp_path)
    assert names(tmp_path) == ["gradient-1.py", "gradient-3.py", LIST]
    assert (tmp_path / "gradient-1.py").read_text() == "mine"


def test_a_list_that_was_changed_removes_nothing_else(tmp_path: Path) -> None:
    engine = as_runner(Overwrite())
    folder = own_folder(tmp_path, engine)
    replace_scripts(reports(1), engine, folder)
    (tmp_path / "kept-1.py").write_text("")
    owner = (folder / LIST).read_text().partition(" ")[2]
    (folder / LIST).write_text(f"../kept-1.py {owner}/etc/passwd {owner}\x00\n")
    replace_scripts([], engine, folder)
    assert (tmp_path / "kept-1.py").exists()
