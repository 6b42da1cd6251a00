"""``parity report``: what it says on known numbers, and what it does with a bad file."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from parity.bench.report import formatting
from parity.bench.report.charts import charts
from parity.bench.report.compare import Comparison, Verdict, compare
from parity.bench.report.markdown import markdown
from parity.bench.report.page import page
from parity.bench.report.results import ReportError, Results, load
from parity.bench.report.summary import summary
from parity.bench.report.tables import Table, tables
from parity.cli.main import main
from tests.helpers import report_samples as samples
from tests.helpers.report_samples import one as _one
from tests.helpers.report_samples import ratio as _ratio


def _loaded(folder: Path, data: dict[str, Any]) -> Results:
    return load(samples.write(folder, data))


def _said(results: Results, heading: str, comparison: Comparison | None = None) -> str:
    return " ".join(
        sentence
        for paragraph in summary(results, comparison)
        if paragraph.heading.startswith(heading)
        for sentence in paragraph.sentences
    )


def _texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


# Words.


def test_the_mean_is_geometric_and_directions_are_counted(tmp_path: Path) -> None:
    data = _one(
        a=_ratio(4.0, 3.9, 4.1),
        b=_ratio(0.25, 0.2, 0.3),
        c=_ratio(1.0, 0.9, 1.1),
        d=_ratio(90.0, 1.0, 100.0, noisy=True),
    )
    assert _said(_loaded(tmp_path, data), "Speed") == (
        "dezero is 1.0 times as fast as torch in the geometric mean of the 3 cases that all "
        "engines have (0.25 to 4.0). Of its 3 cases, faster in 1, slower in 1, no difference seen "
        "in 1. Slowest: 0.25 on b (2, 2) float32."
    )


def test_only_noise_is_said_to_be_so(tmp_path: Path) -> None:
    results = _loaded(tmp_path, _one(a=_ratio(2.0, 0.1, 9.0, noisy=True)))
    assert _said(results, "Speed") == "dezero cannot be told from noise in any case."
    assert _said(results, "Noise") == "1 of 1 ratio too noisy to tell: dezero 1."
    assert "too noisy" in _texts(tables(results, None)["ratios"])[0]


def test_the_baseline_is_no_engine(tmp_path: Path) -> None:
    said = _said(_loaded(tmp_path, _one("numpy", a=_ratio(3.0, 2.9, 3.1))), "Speed")
    assert said.startswith("numpy, the baseline without an engine, is 3.0 times")


def test_interrupted_and_missing_sections_are_said(tmp_path: Path) -> None:
    said = _said(_loaded(tmp_path, samples.interrupted()), "Incomplete")
    assert "interrupted" in said
    assert "nothing on growth, memory and generator" in said
    assert _said(_loaded(tmp_path, samples.sample()), "Incomplete") == ""


def test_backward_is_set_against_forward(tmp_path: Path) -> None:
    results = _loaded(tmp_path, samples.sample())
    assert _said(results, "Backward") == (
        "Forward and backward take so many times the forward alone: dezero 3.0, torch 3.0, "
        "mygrad 3.0, in the geometric mean of the 64 cases that all of these have."
    )
    table = tables(results, None)["gradients"]
    assert table.columns[3:] == ("dezero", "torch", "mygrad", "micrograd")
    assert _texts(table)[0][3:] == ["3.00 (2.90 to 3.10)"] * 4
    growth = tables(results, None)["growth"]
    at = growth.columns.index("of it to build the graph")
    assert _texts(growth)[1][at - 1 : at + 2] == ["2.60", "0.900", "1.70"]


def test_a_result_without_times_of_the_forward_has_no_word_on_them(tmp_path: Path) -> None:
    data = samples.sample()
    for times in data["times"]:
        for timing in times["engines"].values():
            timing.pop("forward", None)
            timing.pop("gradient_to_forward", None)
    results = _loaded(tmp_path, data)
    assert _said(results, "Backward") == ""
    assert "gradients" not in tables(results, None)


def test_growth_names_who_ended_early(tmp_path: Path) -> None:
    said = _said(_loaded(tmp_path, samples.sample()), "Growth")
    assert "grows as nodes to the power: dezero 1.01 (0.980 to 1.03), torch 1.01" in said
    assert "ended early: autograd (RecursionError at 100000 nodes) and micrograd (Rec" in said


def test_memory_is_set_against_the_reference(tmp_path: Path) -> None:
    data = _one()
    peaks = {n: {"bytes": b, "bytes_a_node": b / 10} for n, b in (("dezero", 50), ("torch", 100))}
    data["memory"] = [
        {"workload": "a", "shape": [], "dtype": "float32", "nodes": 10, "engines": peaks}
    ]
    assert (
        _said(_loaded(tmp_path, data), "Memory")
        == "dezero takes 0.50 times the memory of torch in 1 workload."
    )


# Tables.


def test_an_engine_that_was_not_measured_has_its_reason(tmp_path: Path) -> None:
    table = tables(_loaded(tmp_path, samples.sample()), None)["ratios"]
    column = table.columns.index("micrograd")
    texts = [row[column] for row in table.rows]
    assert texts[0].key is not None
    assert (texts[1].text, texts[1].key) == ("not measured: scalars only", None)


def test_rows_have_a_cell_for_every_column(tmp_path: Path) -> None:
    results = _loaded(tmp_path, samples.sample())
    made = tables(results, compare(results, results))
    assert set(made) == {
        *("changes", "ratios", "noise", "times", "gradients", "growth"),
        *("points", "memory", "generator", "conditions"),
    }
    for table in made.values():
        assert {len(row) for row in table.rows} == {len(table.columns)}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.012345, "0.0123"), (1.9, "1.90"), (1234.5, "1,230"), (999.9, "1,000"), (0, "0")],
)
def test_three_digits_count(value: float, text: str) -> None:
    assert formatting.significant(value) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1500, "1.50 kB"), (2.25e9, "2.25 GB")])
def test_sizes(count: float, text: str) -> None:
    assert formatting.size(count) == text


def test_moments() -> None:
    assert formatting.moment("2026-11-24T12:00:00+00:00") == "2026-11-24 12:00 UTC"
    assert formatting.moment("some day") == "some day"


# Against an older result.


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (_ratio(1.5, 1.4, 1.6), Verdict.REGRESSION),
        (_ratio(2.5, 2.4, 2.6), Verdict.IMPROVEMENT),
        (_ratio(1.8, 1.7, 1.9), Verdict.SAME),  # touches the older interval
        (_ratio(1.5, 1.4, 1.6, noisy=True), Verdict.NOISY),
    ],
)
def test_a_change_is_what_the_intervals_exclude_to_be_noise(
    now: dict[str, Any], verdict: Verdict, tmp_path: Path
) -> None:
    older = _loaded(tmp_path, _one(a=_ratio(2.0, 1.9, 2.1)))
    (change,) = compare(_loaded(tmp_path, _one(a=now)), older).changes
    assert change.verdict is verdict
    assert (change.factor is None) == (verdict is Verdict.NOISY)


def test_an_exponent_that_grew_is_a_regression(tmp_path: Path) -> None:
    older, now = samples.sample(), samples.sample()
    now["lengths"][0]["time_exponent"] = {"value": 2.0, "low": 1.9, "high": 2.1}
    found = compare(_loaded(tmp_path, now), _loaded(tmp_path, older)).of(Verdict.REGRESSION)
    assert [(c.engine, c.figure) for c in found] == [("dezero", "exponent of time")]


def test_graphs_of_other_sizes_are_not_compared(tmp_path: Path) -> None:
    now = _loaded(tmp_path, _one(a=_ratio(1.5, 1.4, 1.6)))
    older = _loaded(tmp_path, _one(nodes=20, a=_ratio(2.0, 1.9, 2.1)))
    comparison = compare(now, older)
    assert comparison.changes == ()
    said = _said(now, "Changes", comparison)
    assert "no figure in common" in said
    assert "Not compared: 1 ratio of this result only and 1 of the older one only." in said


def test_a_baseline_that_changed_is_a_warning_and_no_regression(tmp_path: Path) -> None:
    now = _loaded(tmp_path, _one("numpy", a=_ratio(1.5, 1.4, 1.6)))
    comparison = compare(now, _loaded(tmp_path, _one("numpy", a=_ratio(2.0, 1.9, 2.1))))
    assert comparison.changes == ()
    assert "The NumPy baseline changed in 1 case, " in _said(now, "Not the same", comparison)


def test_another_machine_version_and_setting_are_warnings(tmp_path: Path) -> None:
    older = samples.sample()
    older["machine"]["cpu"] = "Slow CPU"
    older["versions"] |= {"torch": "2.12.0", "revision": "old1"}
    older["settings"]["threads"] = 2
    older["engines"]["jax"]["version"] = "0.9"
    now = _loaded(tmp_path, samples.sample())
    said = _said(now, "Not the same", compare(now, _loaded(tmp_path, older)))
    assert "Slow CPU before, Example CPU @ 2.50GHz now." in said
    assert "torch: 2.12.0 before, 2.13.0 now." in said
    assert "jax: 0.9 before, 1.0 now." in said
    assert "threads: 2" in said
    assert "old1" not in said


# Markdown.


def test_markdown_lists_changes_and_nothing_that_did_not_change(tmp_path: Path) -> None:
    older = _loaded(tmp_path, _one(a=_ratio(2.0, 1.9, 2.1), b=_ratio(2.0, 1.9, 2.1)))
    now = _loaded(tmp_path, _one(a=_ratio(1.5, 1.4, 1.6), b=_ratio(2.0, 1.9, 2.1)))
    rows = [
        line
        for line in markdown(now, compare(now, older)).splitlines()
        if line.startswith("| \N{LARGE RED CIRCLE}")
    ]
    assert rows == [
        "| \N{LARGE RED CIRCLE} | dezero | regression | a | (2, 2) | float32 | "
        "speed against torch | 2.00 (1.90 to 2.10) | 1.50 (1.40 to 1.60) | 0.750 |"
    ]


def test_markdown_counts_what_is_too_much(tmp_path: Path) -> None:
    names = [f"w{n}" for n in range(53)]
    older = _loaded(tmp_path, _one(**{n: _ratio(2.0, 1.9, 2.1) for n in names}))
    now = _loaded(tmp_path, _one(**{n: _ratio(4.0, 3.9, 4.1) for n in names}))
    text = markdown(now, compare(now, older))
    assert text.count("\N{LARGE GREEN CIRCLE}") == 50
    assert "And 3 more in report.html." in text
    row = "| the 53 cases that all engines have | 4.00 (4.00 to 4.00); 53+ 0- of 53 (its own: 53) |"
    assert row in text


def test_markdown_shows_markup_in_names_as_text(tmp_path: Path) -> None:
    data = json.loads(
        json.dumps(samples.sample()).replace("micrograd", "<b>|`x`[a](b)@who#12 www.a.b")
    )
    text = markdown(_loaded(tmp_path, data), None)
    assert "<b>" not in text
    assert r"&lt;b&gt;\|\`x\`\[a\](b)@<!-- -->who#<!-- -->12 www.<!-- -->a.b" in text
    table = [line for line in text.partition("<details>")[0].splitlines() if line[:2] == "| "]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1


# Files that are no result.


def _without(*path: str) -> dict[str, Any]:
    data = samples.sample()
    inner: Any = data
    for step in path[:-1]:
        inner = inner[int(step) if isinstance(inner, list) else step]
    del inner[path[-1]]
    return data


_BROKEN = {
    "no JSON": ("{", "is no JSON"),
    "not a number": (
        json.dumps(samples.sample() | {"seconds": float("nan")}),
        "NaN is no number of JSON",
    ),
    "a list": ("[]", "has format None, not 'parity-bench'"),
    "other format": ('{"format": "x"}', "has format 'x', not 'parity-bench'"),
    "version": (json.dumps(samples.sample() | {"format_version": 2}), "format_version 2, this"),
    "missing": (json.dumps(_without("times", "0", "nodes")), "times[0].nodes is missing"),
    "type": (
        json.dumps(samples.sample() | {"complete": 1}),
        "complete is 1, not true or false",
    ),
    "zero": (
        json.dumps(_one(a=_ratio(0.0, 0.0, 1.0))),
        "times[0].ratios.dezero.ratio is 0.0, not a number above 0",
    ),
    "huge": (json.dumps(_one(a=_ratio(10**400, 1, 2))), "not a number"),
    "deep": ("[" * 100_000, "it is nested more than 100 deep"),
    "key twice": ('{"format": 1, "format": 2}', "the key 'format' is there twice"),
    "half of a pair": (r'{"a": "\ud800"}', "it has half of a surrogate pair"),
    "figures": (
        json.dumps(samples.sample() | {"times": _one(a=_ratio(1, 1, 1))["times"] * 8000}),
        "it has 7 engines and 56,",
    ),
    "beyond floats": ('{"seconds": 1e999}', "1e999 is beyond all floats"),
}


@pytest.mark.parametrize(("text", "said"), _BROKEN.values(), ids=_BROKEN)
def test_a_bad_file_gets_one_line(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    assert main(["report", str(file), "-o", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("parity: error: ")
    assert err.count("\n") == 1
    assert said in err
    assert str(file) in err
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_a_folder_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "none.json")]) == 2
    assert "No such file" in capsys.readouterr().err
    file = samples.write(tmp_path, samples.interrupted())
    assert main(["report", str(file), "-o", str(file)]) == 2
    assert f"-o {file}: File exists" in capsys.readouterr().err


def test_control_characters_and_length_of_names(tmp_path: Path) -> None:
    results = _loaded(tmp_path, _one("a\x00\x1b[31m" + "x" * 999, a=_ratio(1, 1, 1)))
    (name, *_) = results.names
    assert name.isprintable()
    assert len(name) == 300


def test_a_field_of_a_later_version_is_left_out(tmp_path: Path) -> None:
    assert _loaded(tmp_path, samples.sample() | {"new": 1}).complete


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_without_the_extra_one_line_names_it(
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else found(name)
    )
    file = samples.write(tmp_path, samples.interrupted())
    assert main(["report", str(file), "-o", str(tmp_path / "out")]) == 2
    expected = (
        f"parity: error: parity report needs {module}, not installed here: "
        "pip install 'dezero-parity[report]'\n"
    )
    assert capsys.readouterr().err == expected


def test_versions_may_be_missing(tmp_path: Path) -> None:
    for versions in ({}, {"revision": "abc1"}, {"parity": "0.1.0"}):
        results = _loaded(tmp_path, _one() | {"versions": versions})
        assert ("revision abc1" in page(results, None)) == ("revision" in versions)


def test_plots_are_few_and_have_few_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("parity.bench.report.charts.MOST_PLOTS", 3)
    monkeypatch.setattr("parity.bench.report.charts.MOST_ROWS", 2)
    results = _loaded(tmp_path, samples.sample())
    found = charts(results)
    assert len(found) == 3
    assert found[0].description.endswith("6 more cases are in the table.")


def test_an_empty_result_is_an_error_of_load_only_if_it_is_no_result(tmp_path: Path) -> None:
    assert tables(_loaded(tmp_path, _one()), None).keys() == {"conditions"}
    with pytest.raises(ReportError, match="engines is missing"):
        _loaded(
            tmp_path,
            {"format": "parity-bench", "format_version": 1, "created": "", "complete": True},
        )
