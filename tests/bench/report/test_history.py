"""The history of simulated results: steps and no steps, means over time, and bad input."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from parity.bench import statistics
from parity.bench.report.charts import charts
from parity.bench.report.history import MOST_RESULTS, History, segments
from parity.bench.report.markdown import markdown
from parity.bench.report.results import Estimate, from_json
from parity.bench.report.summary import summary
from parity.bench.report.tables import history_table, tables
from parity.cli.main import main
from tests.helpers import report_samples as samples
from tests.helpers.report_samples import one, ratio


def _intervals(*values: float) -> list[Estimate]:
    return [Estimate(value, value - 0.1, value + 0.1) for value in values]


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([2.0], [[0]]),
        ([2.0, 2.1, 1.9, 2.0], [[0, 1, 2, 3]]),
        ([2.0, 1.0], [[0]]),  # nothing says which one is usual
        ([2.0, 2.0, 1.0], [[0, 1], [2]]),  # the newest
        ([2.0, 1.0, 1.0], [[0], [1, 2]]),
        ([2.0, 2.0, 1.0, 2.0, 2.0], [[0, 1, 3, 4]]),  # an outlier
        ([2.0, 2.0, 3.0, 1.0, 2.0], [[0, 1, 4]]),  # two outliers on different sides
        ([2.0, 2.0, 1.0, 2.0, 1.0, 1.0], [[0, 1, 3], [4, 5]]),  # an outlier hides no step
        ([2.0, 2.0, 1.0, 1.0, 2.0, 2.0], [[0, 1], [2, 3], [4, 5]]),
        ([2.0, 2.0, 1.0, 0.5], [[0, 1], [2]]),
        ([2.0, 2.2, 2.4, 2.6], [[0, 1, 2, 3]]),  # a drift; each touches those before
    ],
)
def test_steps_by_hand(values: list[float], parts: list[list[int]]) -> None:
    assert segments(_intervals(*values)) == parts


def _measured(source: random.Random, truth: float) -> Estimate:
    """The median of 31 simulated ratios, with its bootstrap interval."""
    found = statistics.median([source.gauss(truth, 0.1) for _ in range(31)], source.randrange(999))
    return Estimate(found.value, found.low, found.high)


def test_noise_is_no_step() -> None:
    source = random.Random(1)
    series = [[_measured(source, 2.0) for _ in range(10)] for _ in range(40)]
    assert sum(len(segments(one)) > 1 for one in series) <= 1


def test_a_step_is_found_where_it_is() -> None:
    source = random.Random(2)
    series = [[_measured(source, 2.0 if n < 6 else 1.7) for n in range(10)] for _ in range(40)]
    found = [parts[1][0] for one in series if len(parts := segments(one)) == 2]
    assert found.count(6) >= 38


def _dated(day: int, **ratios: dict[str, Any]) -> dict[str, Any]:
    versions = {"revision": f"rev{day}"}
    return one(**ratios) | {"created": f"2026-11-{day}T12:00:00+00:00", "versions": versions}


def _stepped(chain: float = 2.1) -> list[dict[str, Any]]:
    """Five results: chain goes from 2.8 to another value on the 20th, fan-out stays."""
    return [
        _dated(day, **{"chain": ratio(v, v - 0.1, v + 0.1), "fan-out": ratio(1.0, 0.9, 1.1)})
        for day, v in ((16, 2.8), (18, 2.8), (20, chain), (22, chain), (24, chain))
    ]


def _history(results: list[dict[str, Any]]) -> History:
    return History(tuple(map(from_json, results)))


def _said(history: History) -> list[str]:
    found = summary(history.last, None, history)
    return [s for p in found if p.heading == "History" for s in p.sentences]


def test_the_summary_names_each_step() -> None:
    assert _said(_history(_stepped())) == [
        "1 step in 5 results since 2026-11-16.",
        "dezero on chain (2, 2) float32: 2.8 to 2.1 from 2026-11-20, revision rev20.",
    ]
    assert _said(_history(_stepped(2.8))) == ["No step in 5 results since 2026-11-16."]


def test_other_conditions_are_said() -> None:
    results = _stepped(2.8)
    results[1]["machine"] = {"cpu": "Another CPU"}
    assert _said(_history(results))[1] == (
        "1 of the 4 older results was measured on another machine, or with other versions or "
        "settings."
    )


def test_noisy_ratios_and_graphs_of_another_size_are_no_part() -> None:
    results = _stepped()
    for data in results[2:]:
        data["times"][0]["nodes"] = 99
    assert _history(results).steps == []
    results = _stepped()
    for data in results[2:]:
        data["times"][0]["ratios"]["dezero"]["noisy"] = True
    assert _history(results).steps == []


def test_means_are_over_the_cases_of_all_results() -> None:
    results = _stepped()
    del results[0]["times"][1]  # no fan-out on the first day
    results[4]["engines"]["mygrad"] = {}
    results[4]["times"][0]["ratios"]["mygrad"] = ratio(0.5, 0.4, 0.6)
    table = history_table(_history(results))
    assert table.columns == (
        *("engine", "cases", "2026-11-16 rev16", "2026-11-18 rev18", "2026-11-20 rev20"),
        *("2026-11-22 rev22", "2026-11-24 rev24"),
    )
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["dezero", "1", "2.80", "2.80", "2.10", "2.10", "2.10"],
        ["mygrad", "1", *["\N{EN DASH}"] * 4, "0.500"],
    ]


def test_steps_and_history_are_tables_of_page_and_markdown() -> None:
    history = _history(_stepped())
    made = tables(history.last, None, history)
    (step,) = made["steps"].rows
    assert [cell.text for cell in step] == [
        *("dezero", "chain", "(2, 2)", "float32", "2.80", "2.10", "0.750", "2026-11-20 rev20"),
    ]
    text = markdown(history.last, None, history)
    assert "| engine | cases | 2026-11-16 rev16 |" in text
    assert "history-of-speed" in [chart.name for chart in charts(history.last, history)]


# Files.


def _written(folder: Path, results: list[dict[str, Any]]) -> list[str]:
    return [str(samples.write(folder, data, f"{n}.json")) for n, data in enumerate(results)]


def test_the_newest_is_reported_against_the_last_one_before(tmp_path: Path) -> None:
    files = _written(tmp_path, _stepped())
    (tmp_path / "none.json").write_text("{}")
    assert main(["report", files[4], *files[:4], "-o", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Measured 2026-11-24 12:00 UTC, revision rev24; against the result of 2026-11-22" in text
    assert "**0 regressions and 0 improvements since 2026-11-22 12:00 UTC; dezero is" in text
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'id="table-history"' in page
    assert 'id="table-steps"' in page
    arguments = [*files, "--against", files[0], "-o", str(tmp_path / "out")]
    assert main(["report", *arguments]) == 0
    assert (
        "**1 regression and 0 improvements since 2026-11-16"
        in (tmp_path / "out" / "report.md").read_text()
    )


def test_one_result_has_no_history(tmp_path: Path) -> None:
    (file, *_) = _written(tmp_path, _stepped())
    assert main(["report", file, "-o", str(tmp_path / "out")]) == 0
    assert "History" not in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize("wrong", ["broken", "twice", "copy", "date", "many"])
def test_bad_input_is_one_line(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = _written(tmp_path, _stepped())
    undated = samples.write(tmp_path, _stepped()[0] | {"created": "some day"}, "undated.json")
    copy = samples.write(tmp_path, _stepped()[0], "copy.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    extra, said = {
        "broken": ([str(broken)], f"{broken}: it is no JSON"),
        "twice": ([files[0]], f"{files[0]} and {files[0]} are the same result"),
        "copy": ([str(copy)], "name each result once"),
        "date": ([str(undated)], f"{undated}: created is 'some day', no date"),
        "many": (files * MOST_RESULTS, f"a report shows at most {MOST_RESULTS}"),
    }[wrong]
    assert main(["report", *files, *extra, "-o", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert not (tmp_path / "out").exists()
