"""The files of ``parity report`` without a browser: well formed, escaped, the same every time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from parity.bench.report.charts import charts, overview
from parity.bench.report.results import load
from parity.bench.report.svg import SERIES
from parity.cli.main import main
from tests.helpers import report_samples as samples

SVG = "{http://www.w3.org/2000/svg}"


def _report(folder: Path, data: dict[str, Any], *arguments: str) -> dict[str, str]:
    file = samples.write(folder, data)
    assert main(["report", str(file), "-o", str(folder / "out"), *arguments]) == 0
    return {f.name: f.read_text(encoding="utf-8") for f in (folder / "out").iterdir()}


class _Elements(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _report(tmp_path_factory.mktemp("page"), samples.small())["report.html"]


def test_the_same_result_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    older = samples.write(tmp_path, samples.small(), "older.json")
    first = _report(tmp_path, samples.small(), "--against", str(older))
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "out" / name) for name in ("report.html", "report.md", "ratios.svg")
    ]
    # What a user's own settings of plots say changes nothing.
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 9)
    assert _report(tmp_path, samples.small(), "--against", str(older)) == first
    assert "Changes against the older result" in first["report.html"]


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    for tag, attributes in _Elements(page).found:
        assert tag not in ("iframe", "object", "embed", "base", "img")
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
    assert "url(" not in re.sub(r"url\(#", "", page)
    assert "@import" not in page


def test_ids_are_unique_and_every_reference_has_its_target(page: str) -> None:
    elements = _Elements(page).found
    ids = [attributes["id"] for _, attributes in elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    references = {
        reference
        for _, attributes in elements
        for name in ("aria-labelledby", "href", "xlink:href")
        for reference in (attributes.get(name) or "").split()
    }
    local = {r.removeprefix("#") for r in references if not r.startswith("data:")}
    local |= set(re.findall(r"url\(#([^)]*)\)", page))
    assert local <= set(ids)
    assert len(local) > 20


def test_without_the_script_a_table_is_plain(page: str) -> None:
    before_script = page.partition("<script>")[0]
    assert before_script.count("<details") == before_script.count("<table") + 1  # and plots
    assert "<button" not in before_script
    assert '<th scope="col" class="number">dezero</th>' in before_script


def test_every_colour_comes_from_the_scheme(page: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert re.findall(r"#[0-9a-f]{6}", drawings) == []
    assert {f"var(--series-{n})" for n in range(7)} <= set(re.findall(r"var\([^)]*\)", drawings))


def test_markup_in_names_is_text_everywhere(tmp_path: Path) -> None:
    files = _report(tmp_path, samples.hostile())
    page = files["report.html"]
    assert "<img" not in page
    assert "<img" not in files["report.md"]
    assert "&lt;img src=x onerror=alert(1)&gt;|$a$_b_`c`micrograd" in page
    tags = {tag for tag, _ in _Elements(page).found}
    assert "img" not in tags
    assert ET.fromstring(files["ratios.svg"]).tag == f"{SVG}svg"


@pytest.mark.parametrize("name", ["_hidden", "$\\frac$", "\x00\x07", "\u4e2d\u6587", "a" * 500, ""])
def test_any_name_can_be_drawn(name: str, tmp_path: Path) -> None:
    data = samples.small()
    data["engines"] = {name: {}}
    data["times"] = data["times"][:2]
    for times in data["times"]:
        times["engines"] = {name: times["engines"]["dezero"]}
        times["ratios"] = {name: times["ratios"]["dezero"]}
        times["not_measured"] = {}
    for section in ("lengths", "memory", "generator"):
        del data[section]
    results = load(samples.write(tmp_path, data))
    shown = results.names[0][:20]
    drawn = overview(results)
    assert drawn is not None
    texts = [t.text or "" for t in ET.fromstring(drawn.svg).iter(f"{SVG}text")]
    assert any(text.strip().startswith(shown) for text in texts)


def test_an_interrupted_result_shows_what_it_has(tmp_path: Path) -> None:
    data = samples.interrupted()
    files = _report(tmp_path, data)
    assert "The run was interrupted" in files["report.html"]
    assert "> The run was interrupted" in files["report.md"]
    assert 'id="memory"' not in files["report.html"]
    data["times"] = []
    other = tmp_path / "other"
    other.mkdir()
    assert set(_report(other, data)) == {"report.html", "report.md"}


def test_plots_have_all_engines_and_name_who_ended_early(tmp_path: Path) -> None:
    found = {chart.name: chart for chart in charts(load(samples.write(tmp_path, samples.small())))}
    assert set(found) == {
        "overview",
        *(f"sizes-{n}" for n in range(2)),
        "time-by-length-0",
        "memory-by-length-0",
        "memory-per-node",
    }
    lengths = found["time-by-length-0"]
    assert "autograd: RecursionError at 100000 nodes" in lengths.description
    for engine in samples.SPEEDS:
        assert f"> {engine}" in found["sizes-0"].svg
    assert "Too noisy to show: 1." in found["overview"].description
    assert [c.name for c in found.values() if c.closed] == ["sizes-0", "sizes-1"]


def test_a_noisy_ratio_has_no_bar(tmp_path: Path) -> None:
    data = samples.small()
    for times in data["times"]:
        times["ratios"] = {"jax": {"ratio": 5.0, "low": 1.0, "high": 9.0, "noisy": True}}
    drawn = overview(load(samples.write(tmp_path, data)))
    assert drawn is not None
    series = list(samples.SPEEDS).index("jax")
    # Its line of the legend alone.
    assert drawn.svg.count(f"var(--series-{series})") == 1


def _luminance(color: str) -> float:
    """Relative luminance of WCAG 2.2."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("scheme", "background"), [(0, "#ffffff"), (1, "#16181d")])
def test_series_stand_out_from_the_background(scheme: int, background: str) -> None:
    for pair in SERIES:
        low, high = sorted((_luminance(pair[scheme]), _luminance(background)))
        assert (high + 0.05) / (low + 0.05) >= 3
