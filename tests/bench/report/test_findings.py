"""The page of findings: what it shows, its history, and names of engines that stay text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import parity
from parity.bench.report.findings import HISTORY, PAGE, page_of_search, write_page
from parity.cli.main import main
from parity.diagnose.defects.traversal import Overwrite
from parity.engines.adapters.dezero import Dezero

COMMAND = ["check", "--engine", "parity.diagnose.defects.traversal:Overwrite", "--no-isolate"]


class Hostile(Overwrite):
    name = "<script>alert(1)</script>"


def shown(folder: Path) -> str:
    return (folder / PAGE).read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page of a wrong engine, written by the command."""
    place = tmp_path_factory.mktemp("pages")
    options = ["--examples", "40", "--ops", "add,mul", "--findings", str(place / "scripts")]
    assert main([*COMMAND, *options, "--html", str(place)]) == 1
    return place


def test_a_fault_has_program_results_mend_graph_and_script(folder: Path) -> None:
    page = shown(folder)
    assert "a reused variable&#39;s gradient is overwritten instead of summed" in page
    assert re.search(r"<pre>x0 = leaf\(3\.0\)\nx1 = add\(x0, x0\)\nbackward\(x1\)</pre>", page)
    assert "how to mend it: x.grad = gx if x.grad is None else x.grad + gx" in page
    assert "import torch" in page  # the script
    graph = page[page.index("<svg") : page.index("</svg>")]
    assert "grad 1.0 != 2.0" in graph
    # Both uses of x0 can be seen.
    assert len(set(re.findall(r'<line x1="([\d.]+)"', graph))) == 2


def test_a_page_needs_no_network_and_says_what_was_reached(folder: Path) -> None:
    page = shown(folder)
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "What was tested" in page
    assert re.search(r'<th scope="row">operands</th><td class="number">\d+</td>', page)


def test_the_history_says_what_came_and_what_is_gone(tmp_path: Path) -> None:
    for engine in (Dezero, Overwrite, Dezero):
        result = parity.check(engine, examples=40, ops=("add", "mul"))
        write_page(page_of_search(result), tmp_path)
    rows = re.findall(r'<tr><th scope="row">[\dT:+-]+</th>(.*)</tr>', shown(tmp_path))
    assert ["gone: " in row for row in rows] == [True, False, False]
    assert ["new: " in row for row in rows] == [False, True, False]


def test_names_of_an_engine_are_text(tmp_path: Path) -> None:
    result = parity.check(Hostile, examples=40, ops=("add", "mul"))
    write_page(page_of_search(result), tmp_path)
    assert "<script" not in shown(tmp_path)
    assert "&lt;script&gt;" in shown(tmp_path)


@pytest.mark.parametrize("content", ["{", "[3]", '[{"when": 1}]'])
def test_a_broken_history_is_one_line(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / HISTORY).write_text(content)
    options = ["--examples", "5", "--ops", "add", "--findings", str(tmp_path / "scripts")]
    assert main([*COMMAND, *options, "--html", str(tmp_path)]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith(f"parity: error: --html {tmp_path}: {HISTORY}: ")
    assert (tmp_path / HISTORY).read_text() == content


def test_the_history_is_plain_data(folder: Path) -> None:
    (run,) = json.loads((folder / HISTORY).read_text())
    assert run["programs"] == 40
    assert run["findings"] == ["a reused variable's gradient is overwritten instead of summed"]
