"""Means over common cases, the verdict in one line, and what is said about load and noise."""

from __future__ import annotations

from typing import Any

import pytest

from parity.bench.report.compare import compare
from parity.bench.report.markdown import markdown
from parity.bench.report.results import Results, from_json
from parity.bench.report.speed import Common, verdict
from parity.bench.report.summary import busy, summary
from parity.bench.report.tables import tables
from tests.helpers import report_samples as samples
from tests.helpers.report_samples import one, ratio


def _several(**engines: dict[str, float]) -> dict[str, Any]:
    """A result by engine and workload; a negative ratio is too noisy."""
    names = dict.fromkeys(name for values in engines.values() for name in values)
    data = one(**{name: ratio(1, 1, 1) for name in names})
    for times in data["times"]:
        times["ratios"] = {
            engine: ratio(abs(v), abs(v) * 0.99, abs(v) * 1.01, noisy=v < 0)
            for engine, values in engines.items()
            if (v := values.get(times["workload"], 0))
        }
    data["engines"] = {**{name: {} for name in engines}, "torch": {}, "numpy": {"control": True}}
    return data


def _speeds(results: Results) -> list[str]:
    return [s for p in summary(results) if p.heading.startswith("Speed") for s in p.sentences]


def test_means_are_over_the_cases_that_all_engines_have() -> None:
    mine = {"a": 2.0, "b": 8.0, "c": 100.0, "d": 50.0}
    other = {"a": 1.5, "b": 1.5, "d": -1.5}
    results = from_json(_several(dezero=mine, mygrad=other, numpy={"a": 9.0}))
    assert verdict(results) == (
        "dezero is 4.0 times as fast as torch over the 2 cases that all engines have; "
        "slower in none."
    )
    ours, theirs, baseline = _speeds(results)
    assert "in the geometric mean of the 2 cases that all engines have (2.0 to 8.0). " in ours
    assert "Of its 4 cases, faster in 4, slower in 0." in ours
    assert "Of its 2 cases," in theirs
    assert "9.0 times as fast as torch in the geometric mean of 1 of the 2 cases" in baseline
    row = "| the 2 cases that all engines have | 4.00 (2.00 to 8.00); 2+ 0- of 2 (its own: 4) "
    assert f"{row}| 1.50 (1.50 to 1.50); 2+ 0- of 2 (its own: 3) | 9.00; 1+ 0- of 1 " in markdown(
        results, None
    )


def test_an_engine_with_few_cases_does_not_narrow_the_others() -> None:
    results = from_json(_several(dezero={"a": 2.0, "b": 2.0, "c": 0.5}, micrograd={"a": 3.0}))
    assert len(Common.of(results).cases) == 3
    said = "over the 3 cases that all engines but micrograd have; slower in 1 of its 3."
    assert verdict(results).endswith(said)
    assert (
        "3.0 times as fast as torch in the geometric mean of its own 1 case alone"
        in (_speeds(results)[1])
    )


def test_without_a_common_case_an_engine_has_its_own() -> None:
    results = from_json(_several(dezero={"a": 2.0}, mygrad={"b": 3.0}))
    assert verdict(results) == "dezero is 2.0 times as fast as torch over 1 case; slower in none."


def test_changes_and_wrong_gradients_come_first() -> None:
    before = one(**{n: ratio(2.0, 1.9, 2.1) for n in "abc"})
    now = one(a=ratio(1.5, 1.4, 1.6), b=ratio(2.5, 2.4, 2.6), c=ratio(2.0, 1.9, 2.1))
    now["times"][2] |= {"not_measured": {"mygrad": "gradient differs from torch's: leaf 0 by 1"}}
    results = from_json(now)
    assert verdict(results, compare(results, from_json(before))).startswith(
        "1 regression and 1 improvement since 2026-11-24 12:00 UTC; "
        "mygrad has a wrong gradient in 1 case; dezero is "
    )


def test_a_verdict_without_a_ratio() -> None:
    assert verdict(from_json(one())) == "no speed against torch was measured."
    noisy = from_json(one(a=ratio(2.0, 0.1, 9.0, noisy=True)))
    assert verdict(noisy) == "dezero cannot be told from noise in any case."


@pytest.mark.parametrize(
    ("before", "after", "threads", "said"),
    [
        (1.0, 2.0, 1, []),  # half of the cores; and one thread measured
        (1.1, 2.0, 1, ["before"]),
        (1.0, 2.1, 1, ["after"]),
        (1.0, 2.1, 2, []),
        (9.0, 9.0, 2, ["before", "after"]),
        (None, None, None, []),
    ],
)
def test_load_of_other_programs_is_a_loud_warning(
    before: float | None, after: float | None, threads: int | None, said: list[str]
) -> None:
    data = one() | {"settings": {"threads": threads}}
    data["machine"] = {"cores": 2, "load_before": before, "load_after": after}
    results = from_json(data)
    sentences = list(busy(results))
    assert [s.split()[2] for s in sentences] == said
    loud = [p for p in summary(results) if p.heading == "The machine was busy"]
    assert [p.loud for p in loud] == [True] * bool(said)


def test_everything_that_is_too_noisy_is_named_once() -> None:
    results = from_json(samples.sample())
    (row,) = tables(results, None)["noise"].rows
    sizes = "0-d float64, (16,) float64, (64, 64) float64, (512, 512) float64"
    assert [cell.text for cell in row] == ["jax", "4 of 64", f"diamond {sizes}"]
    assert f"| jax | 4 of 64 | diamond {sizes} |" in markdown(results, None)
