"""Text and arrays of an engine or a corpus that are odd or hostile, in all that parity writes."""

from __future__ import annotations

import ast
import datetime
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.campaign.baseline import BaselineEntry
from parity.campaign.records import checked_finding
from parity.campaign.replay import Replayed
from parity.campaign.result import Report, SearchResult, distinguishable_texts, finding_json
from parity.campaign.summary import Lines, Live, markdown, text
from parity.campaign.survey import Entry, Surveyed
from parity.campaign.survey import markdown as survey_page
from parity.cli.main import main
from parity.cli.options import write_json
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.reproducer import script
from parity.engines.base import Unsupported
from parity.engines.runner import LocalRunner
from parity.engines.sources import Adapter
from parity.engines.trace import Failure, RemoteFailure
from parity.language.text_format import program_from_text
from parity.oracle.finding import Finding, Kind
from parity.oracle.probes import PROBES_BY_NAME
from parity.testing.suite import Suite
from tests.campaign.test_summary import finding as data_of_finding
from tests.campaign.test_summary import outcome
from tests.helpers.hostile_text import HOSTILE, harmful
from tests.helpers.programs import TORCH

EACH = pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
PROGRAM = program_from_text("x0 = leaf(3.0)\nx1 = neg(x0)")


def named(hostile: str) -> LocalRunner:
    """An engine with a hostile name and version."""
    engine = type("Mine", (TapeEngine,), {"name": hostile or "mine", "version": hostile})()
    return LocalRunner(engine)


def raised(hostile: str) -> Finding:
    """The finding of an exception with a hostile type and text."""
    error = type(hostile.replace("\0", "").encode("ascii", "ignore").decode(), (Exception,), {})
    seen = Failure(0, error(hostile)).text()
    return Finding(Kind.EXCEPTION, 0, "exception", 0, seen, "no exception")


def read_strictly(written: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(written, parse_constant=refuse)


@EACH
def test_failures(hostile: str) -> None:
    for error in (
        ValueError(hostile),
        Unsupported(hostile),
        RemoteFailure("exception", hostile, hostile),
    ):
        failure = Failure(0, error)
        for seen in (failure.text(), failure.location()):
            assert not harmful(seen)
            assert "\n" not in seen
            assert len(seen) <= 2000


@EACH
def test_the_report_of_a_check(hostile: str) -> None:
    engine = named(hostile)
    reported = Report(raised(hostile), PROGRAM, 0, script=hostile)
    result = SearchResult(engine, TORCH, 0, 1, findings=[reported])
    known = BaselineEntry("value", hostile, hostile, PROGRAM)
    result.known[known] += 1
    result.stale = (known,)
    assert not harmful(str(result))
    assert len(str(result)) < 15_000
    read_strictly(json.dumps(result.to_json(), allow_nan=False))


@EACH
def test_the_report_of_a_campaign(hostile: str) -> None:
    data = data_of_finding(
        says=hostile,
        text=hostile,
        shown=[hostile, hostile],
        script=hostile,
        wrong="reference",
        diagnosis=[{"defect": hostile, "says": hostile, "agrees": 1, "of": 2}],
    )
    seen = outcome([(hostile, data)], engine=named(hostile), exported=1)
    seen.identity = replace(seen.identity, spec=hostile, seed=hostile)
    said, page = text(seen, hostile), markdown(seen, hostile)
    assert not harmful(said)
    assert not harmful(page)
    assert len(said) < 50_000
    _only_our_markup(page)
    replayed = str(Replayed(hostile, data, None)), str(Replayed(hostile, None, hostile))
    for line in replayed:
        assert not harmful(line)
        assert "\n" not in line


def _only_our_markup(page: str) -> None:
    renderer = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    html = renderer.render(page)
    tags = set(re.findall(r"</?(\w+)", html.replace("<!-- -->", "")))
    assert all(re.fullmatch("h[1-3]|p|ul|li|code|pre|table|thead|tbody|tr|th|td", t) for t in tags)
    assert html.count("<table") == len(re.findall(r"(?m)^\|[-:|]+\|$", page))
    outside = re.sub(r"(?s)<code>.*?</code>", "", html)
    assert not re.search(r"[@#]\w|://[\w/]|www\.\w|GH-\d", outside.replace("&#", "&"))


@EACH
def test_the_page_of_a_survey(hostile: str) -> None:
    engine = named(hostile)
    entry = Entry(Report(raised(hostile), PROGRAM, 0), ["exception"], [0])
    several = [
        Surveyed(hostile, engine, TORCH, programs=1, entries=[entry]),
        Surveyed(hostile, error=hostile),
    ]
    page = survey_page(several, datetime.date(2026, 1, 1), f"parity survey {hostile}")
    assert not harmful(page)
    _only_our_markup(page)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@EACH
def test_the_display_of_a_campaign(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "3000")
    for stream, display in ((s := io.StringIO(), Lines(s)), (t := Terminal(), Live(t))):
        display.note(hostile)
        display.found(data_of_finding(text=hostile, kind=hostile))
        words = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())  # colours of rich
        assert not harmful(words)
        assert len(words.splitlines()) == 2


@EACH
def test_a_wrong_engine_is_one_line(hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"--engine={hostile.replace(':', ';')}"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("parity: error: ")
    assert err.count("\n") == 1
    assert not harmful(err)
    assert len(err) < 2100


@EACH
def test_the_header_and_a_skip_of_pytest(hostile: str) -> None:
    suite = Suite(hostile, named(hostile), TORCH, 1, 0)
    header = "\n".join(suite.header())
    assert not harmful(header)
    assert len(header.splitlines()) == 2
    with pytest.raises(pytest.skip.Exception) as skipped:
        suite.need(("exp2",))
    assert not harmful(str(skipped.value))


@EACH
def test_scripts_hold_text_as_text(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def adapter_of(*arguments: Any) -> Adapter:  # reading the real sources takes long
        return Adapter(hostile, hostile, {hostile: hostile}, [hostile], [hostile])

    monkeypatch.setattr("parity.diagnose.reproducer.adapter_of", adapter_of)
    made = script(PROGRAM, raised(hostile), named(hostile), hostile or "a.py")
    assert made.translate({ord("\n"): "", ord("\t"): ""}).isprintable()
    tree = ast.parse(made)
    title = ast.get_docstring(tree, clean=False)
    assert title is not None
    assert "Run it with: python" in title
    assert "if engine and PyTorch\ndiffer, and 0 if they agree." in title
    plain = script(PROGRAM, raised("a"), named("b"), "a.py")
    assert [type(n) for n in tree.body] == [type(n) for n in ast.parse(plain).body]


# Arrays.


class Loud(np.ndarray[Any, Any]):
    def __str__(self) -> str:
        return "::error::\x1b"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return str(self)


def _huge(shape: tuple[int, ...]) -> Any:
    return np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape)


ARRAYS: dict[str, Any] = {
    "object": np.array([object(), "\x1b", None], object),
    "0-d object": np.array({1: "\x1b"}, object),
    "raising": np.array([type("R", (), {"__repr__": lambda self: 1 / 0})()], object),
    "structured": np.zeros(2, [("\x1b[31m", float), ("b", "U3")]),
    "datetime": np.array(["2020-01-01", "NaT"], "datetime64[s]"),
    "complex": np.array([1 + 2j, complex("nan")]),
    "half": np.array([65504, np.inf], np.float16),
    "long double": np.array([np.finfo(np.longdouble).max, 1]),
    "not finite": np.array([np.nan, np.inf, -np.inf]),
    "unsigned": np.array([2**64 - 1], np.uint64),
    "text": np.array(["::error::", "\ud800"]),
    "bytes": np.array([b"\x1b"]),
    "subclass": np.zeros(2).view(Loud),
    "masked": np.ma.masked_array([1.0, 2.0], [True, False]),
    "scalar": np.float64("nan"),
    "number": 10**400,
    "a million": _huge((10**6,)),
    "a million with short axes": _huge((2,) * 20),
    "big endian": np.array([1.0], ">f8"),
    "list": [1.0, "\x1b"],
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_json_is_written_whatever_a_gradient_was(array: Any, tmp_path: Path) -> None:
    seen = Finding(Kind.GRADIENT, 0, "grad", 0, array, np.array(1.0))
    reported = Report(seen, PROGRAM, 0)
    data = finding_json(reported, None, 0)
    write_json("--json", tmp_path / "a.json", data)
    written = (tmp_path / "a.json").read_text("utf-8")
    checked_finding(read_strictly(written))
    assert len(written) < 50_000
    shown = reported.text(named("mine"), TORCH)
    assert not harmful(shown)
    assert len(shown) < 25_000


def test_options_of_numpy_change_nothing() -> None:
    pair = np.arange(2000.0), np.arange(3.0)
    before = distinguishable_texts(*pair)
    with np.printoptions(threshold=10**9, precision=1, linewidth=9, formatter={"float": str}):
        assert distinguishable_texts(*pair) == before


@pytest.mark.parametrize("name", ["object", "structured", "complex", "text", "datetime"])
def test_a_probe_has_a_finding_where_a_gradient_has_no_numbers(name: str) -> None:
    class Odd(TapeEngine):
        def grad(self, t: Any) -> Any:
            return ARRAYS[name]

    seen = PROBES_BY_NAME["wide-use"].first(Odd())
    assert seen is not None
    assert seen.kind == "exception"
    assert "the adapter returned an array of dtype" in seen.engine
    assert not harmful(seen.engine)
