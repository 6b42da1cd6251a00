"""What a person reads of a campaign, word for word: the live display, and the summaries."""

from __future__ import annotations

import io
import re
from collections import Counter
from typing import Any

import pytest

from parity.campaign import summary
from parity.campaign.campaign import Outcome
from parity.campaign.corpus import Identity
from parity.campaign.monitor import Status
from parity.campaign.records import Record
from parity.campaign.summary import (
    SHOWN,
    Lines,
    Live,
    clock,
    headline,
    markdown,
    rows,
    text,
    verdict,
)
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.quirks.table import QUIRKS
from tests.helpers.programs import TORCH


class Plain(TapeEngine):
    name = "mine"
    version = "2"


class WithQuirks(Plain):
    quirks = frozenset({"max-ties-first", "keeps-graphs"})


LIKE = [{"defect": "overwrite", "says": "forgets a path", "agrees": 7, "of": 8}]


def finding(**other: Any) -> dict[str, Any]:
    return {
        "kind": "gradient",
        "says": "a gradient differs",
        "text": "x0 = leaf(3.0)\nbackward(x0)",
        "shown": ["1.0", "2.0"],
        "wrong": "engine",
        "error_over_bound": None,
        "diagnosis": [],
        "script": "",
        "count": 3,
        "program_number": 7,
        **other,
    }


#: Two of one cause, and one that has everything to say.
FINDINGS = [
    ("a", finding()),
    ("b", finding(text="other")),
    (
        "c",
        finding(
            kind="value",
            says="a value differs",
            wrong="reference",
            error_over_bound=1234.5,
            error_size={"relative": 1e-5, "says": "inaccurate"},
            diagnosis=LIKE,
            script="scripts/c.py",
        ),
    ),
]


def outcome(findings: list[tuple[str, dict[str, Any]]], **other: Any) -> Outcome:
    total = Record(0, 0, 12345, failing=Counter(gradient=1000, value=234))
    total.coverage = Counter({"ops: add": 3, "ops: mul": 1, "of an older engine": 1})
    fields: dict[str, Any] = {
        "engine": Plain(),
        "identity": Identity("my.engine", "mine 2", "torch", "9", 10),
        "untested": (),
        "before": 0,
        "interrupted": False,
        "exported": 0,
        "total": total,
        **other,
    }
    reachable = frozenset({"ops: add", "ops: mul", "ops: exp"})
    return Outcome(
        reference=TORCH, findings=findings, reachable=reachable, seconds=3725.0, **fields
    )


THEIRS = f"torch {TORCH.version}"
HEAD = f"mine 2 against {THEIRS}: 12,345 programs, seed 9, 1:02:05"

TEXT = f"""\
{HEAD}

gradient: a gradient differs
    x0 = leaf(3.0)
    backward(x0)
  mine 2: 1.0
  {THEIRS}: 2.0
  found 3 times, first by program 7
  finding: c/findings/a.json
  and 1 more findings of the same kind and cause

value: a value differs
    x0 = leaf(3.0)
    backward(x0)
  mine 2: 1.0
  {THEIRS}: 2.0
  by an exact evaluation it is torch that is wrong
  error: 1.23e+03 times what rounding explains
  size of the error: 1e-05 of the largest number: inaccurate
  cause `overwrite`: forgets a path
  script: scripts/c.py
  found 3 times, first by program 7
  finding: c/findings/c.json

coverage: 2 of 3 features reached"""

MARKDOWN = f"""\
## parity fuzz: findings

{HEAD}

| programs | programs that differ | findings | coverage |
|---:|---:|---:|---:|
| 12,345 | 1,234 | 3 | 2 of 3 |

| kind | cause | findings |
|---|---|---:|
| `gradient` | unexplained | 2 |
| `value` | `overwrite` | 1 |

### `gradient`: a gradient differs

```
x0 = leaf(3.0)
backward(x0)
```

- mine 2: 1.0
- {THEIRS}: 2.0
- found 3 times, first by program 7
- finding: `c/findings/a.json`

### `value`: a value differs

```
x0 = leaf(3.0)
backward(x0)
```

- mine 2: 1.0
- {THEIRS}: 2.0
- by an exact evaluation it is torch that is wrong
- error: 1.23e+03 times what rounding explains
- size of the error: 1e-05 of the largest number: inaccurate
- cause `overwrite`: forgets a path
- script: scripts/c.py
- found 3 times, first by program 7
- finding: `c/findings/c.json`
"""


def test_findings_are_told_in_text_and_on_a_page() -> None:
    assert text(outcome(FINDINGS), "c") == TEXT
    differ = "3 findings of 2 causes; 1,234 of 12,345 programs differ"
    assert verdict(outcome(FINDINGS)) == f"verdict: findings: {differ}"
    assert markdown(outcome(FINDINGS), "c") == MARKDOWN


def test_without_findings_there_is_little_to_tell() -> None:
    nothing = outcome([], total=Record(0, 0, 10))
    head = HEAD.replace("12,345", "10")
    assert text(nothing, "c") == (f"{head}\n\ncoverage: 0 of 3 features reached")
    assert verdict(nothing) == "verdict: parity: no difference in 10 programs"
    assert markdown(nothing, "c") == (
        f"## parity fuzz: parity\n\n{head}\n\n"
        "| programs | programs that differ | findings | coverage |\n|---:|---:|---:|---:|\n"
        "| 10 | 0 | 0 | 0 of 3 |\n"
    )


def test_all_that_a_reader_has_to_know_is_said() -> None:
    total = Record(0, 0, 10, ill_conditioned=4)
    said = text(
        outcome(
            [],
            engine=WithQuirks(),
            untested=("exp", "zero_grad"),
            before=2000,
            interrupted=True,
            exported=5,
            total=total,
        ),
        "s3://b/c",
    )
    assert said.splitlines() == [
        f"mine 2 against {THEIRS}: 10 programs, 2,000 of them in earlier runs, seed 9, 1:02:05",
        "not tested, since the engine lacks it: exp, zero_grad",
        f"quirk keeps-graphs: {QUIRKS['keeps-graphs'].description}",
        f"quirk max-ties-first: {QUIRKS['max-ties-first'].description}",
        "",
        "4 differences are no findings: rounding or a convention decides there; they are in "
        "s3://b/c/ill-conditioned",
        "coverage: 0 of 3 features reached",
        "5 findings are exported to the Hypothesis database: pytest --pyargs parity "
        "--parity-engine my.engine replays them first",
        "interrupted: the same command continues from here",
    ]
    stopped = outcome([], interrupted=True, total=total)
    assert verdict(stopped) == "verdict: interrupted: no difference in 10 programs"
    page = markdown(outcome([], interrupted=True), "c")
    assert page.splitlines()[2] == f"{HEAD}; interrupted"


@pytest.mark.parametrize("more", [0, 2])
def test_more_causes_than_are_shown_are_counted(more: int) -> None:
    causes = [
        (str(n), finding(diagnosis=[{**LIKE[0], "defect": f"d{n}"}])) for n in range(SHOWN + more)
    ]
    said, page = (told(outcome(causes), "c") for told in (text, markdown))
    assert said.count("finding: c/findings/") == page.count("finding: `c/findings/") == SHOWN
    assert ("\n\n... and 2 more causes, in the corpus\n" in said) == bool(more)
    assert page.count("| `gradient` | `d") == SHOWN + more


def test_several_defects_that_fit_are_all_named() -> None:
    both = finding(diagnosis=[*LIKE, {**LIKE[0], "defect": "zero-replaces"}])
    page = markdown(outcome([("a", both)]), "c")
    assert "| `gradient` | `overwrite`, `zero-replaces` | 1 |" in page


# The display.

STATUS = Status(1200, 400.4, Counter(value=1, gradient=2), 100, 400, 3, 2, 3.0, 60.0, False)


def test_rows_of_the_display() -> None:
    assert rows(STATUS) == [
        ("programs", "1,200 (400 per second)"),
        ("findings", "gradient 2, value 1"),
        ("coverage", "100 of 400 features (25%)"),
        ("workers", "3, 2 shards running"),
        ("time", "0:00:03"),
        ("left", "0:01:00"),
    ]
    ending = Status(0, 0.0, Counter(), 0, 0, 1, 0, 0.0, None, True)
    assert rows(ending) == [
        ("programs", "0 (0 per second)"),
        ("findings", "none"),
        ("coverage", "0 of 0 features (0%)"),
        ("workers", "1, 0 shards running"),
        ("time", "0:00:00"),
        ("stopping", "Ctrl-C again quits at once"),
    ]
    over = Status(1, 1.0, Counter(), 0, 1, 1, 1, 5.0, 0.0, False)
    assert rows(over)[-1] == ("left", "0:00:00")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0:00:00"), (59.6, "0:01:00"), (3599, "0:59:59"), (3661, "1:01:01"), (9e4, "25:00:00")],
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_line_comes_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(summary.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    lines = Lines(stream)
    seen = []
    for seconds in (1, 4.9, 5, 6, 9.9, 10):
        now[0] = 100.0 + seconds
        lines.update(STATUS)
        seen.append(len(stream.getvalue().splitlines()))
    assert seen == [0, 0, 1, 1, 1, 2]


def test_lines_come_out_at_once() -> None:
    flushed = []

    class Stream(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    lines = Lines(Stream(), every=3600)
    lines.found(FINDINGS[0][1])
    lines.note("a note")
    assert flushed[-1] == (
        "parity: found: gradient: x0 = leaf(3.0); backward(x0)\nparity: a note\n"
    )
    assert headline(FINDINGS[0][1]) == "gradient: x0 = leaf(3.0); backward(x0)"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_table_is_drawn_in_place_and_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    live = Live(stream)
    live.start()
    later = Status(7000, 1.0, Counter(), 0, 1, 1, 1, 0.0, 1.0, True)
    for status in (STATUS, later):
        live.update(status)
        live._live.refresh()
    live.found(finding(text="x0 = leaf([bold])"))
    live.note("at [1, 2] in [red]")
    live.end()
    assert not live._live.is_started
    shown = stream.getvalue()
    words = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    for part in (
        "1,200",
        "7,000",
        "gradient 2",
        "Ctrl-C again",
        "found: gradient: x0 = leaf([bold])",
    ):
        assert part in words
    assert "at [1, 2] in [red]" in shown  # without colours
    erase = "\x1b[2K"
    assert shown.rpartition("7,000")[2].count(erase) == len(rows(later))
