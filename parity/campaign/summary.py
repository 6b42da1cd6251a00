"""What people read of a campaign: a live table or lines while it runs, then text and Markdown."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from parity._util import escape
from parity._util.escape import one_line, printable
from parity._util.markdown import table
from parity.campaign.campaign import Display, Outcome
from parity.campaign.errors import CampaignError, optional
from parity.campaign.monitor import Status
from parity.campaign.records import FindingData
from parity.engines.base import label
from parity.engines.quirks.table import descriptions
from parity.engines.runner import as_runner
from parity.oracle.combined import size_line
from parity.oracle.verdict import ILL_CONDITIONED, no_findings, plural, verdict_line, verdict_of

#: Seconds between two lines if the output is no terminal.
EVERY = 5.0
#: Causes that a summary shows with a program; the corpus has all findings.
SHOWN = 20


def display_for(stream: TextIO) -> Display:
    """A live table for a terminal if rich is installed, lines otherwise."""
    with contextlib.suppress(CampaignError):
        if stream.isatty():
            return Live(stream)
    return Lines(stream)


class Lines(Display):
    """Prints a line every few seconds."""

    def __init__(self, stream: TextIO, every: float = EVERY) -> None:
        self.stream = stream
        self.every = every
        self._last = time.monotonic()

    def update(self, status: Status) -> None:
        now = time.monotonic()
        if now - self._last >= self.every:
            self._last = now
            self.note("; ".join(f"{name}: {text}" for name, text in rows(status)))

    def found(self, finding: FindingData) -> None:
        self.note(f"found: {headline(finding)}")

    def note(self, text: str) -> None:
        print(f"parity: {one_line(text)}", file=self.stream, flush=True)


class Live(Display):
    """A table that is redrawn in place, and lines above it."""

    def __init__(self, stream: TextIO) -> None:
        console = optional("rich.console", "cli", "the live display")
        self._table = optional("rich.table", "cli", "the live display").Table
        self._console = console.Console(file=stream)
        live = optional("rich.live", "cli", "the live display").Live
        self._live: Any = live(console=self._console, refresh_per_second=5, transient=True)

    def start(self) -> None:
        self._live.start()

    def update(self, status: Status) -> None:
        table = self._table(show_header=False, box=None)
        for name, text in rows(status):
            table.add_row(f"[bold]{name}", text)
        self._live.update(table)

    def found(self, finding: FindingData) -> None:
        self._console.print(f"found: {headline(finding)}", style="red", markup=False)

    def note(self, text: str) -> None:
        self._console.print(one_line(text), markup=False, highlight=False)

    def end(self) -> None:
        self._live.stop()


def rows(status: Status) -> list[tuple[str, str]]:
    kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(status.findings.items()))
    share = 100 * status.reached / max(status.reachable, 1)
    result = [
        ("programs", f"{status.programs:,} ({status.rate:,.0f} per second)"),
        ("findings", kinds or "none"),
        ("coverage", f"{status.reached} of {status.reachable} features ({share:.0f}%)"),
        ("workers", f"{status.workers}, {status.shards} shards running"),
        ("time", clock(status.seconds)),
    ]
    if status.left is not None:
        result.append(("left", clock(status.left)))
    if status.stopping:
        result.append(("stopping", "Ctrl-C again quits at once"))
    return result


def clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def headline(finding: FindingData) -> str:
    text = "; ".join(finding["text"].splitlines())
    return one_line(f"{finding['kind']}: {text}")


def text(outcome: Outcome, where: str) -> str:
    """The summary for the terminal; ``where``: the corpus."""
    lines = [one_line(_headline(outcome))]
    if outcome.untested:
        lines.append(f"not tested, since the engine lacks it: {', '.join(outcome.untested)}")
    lines += [f"quirk {name}: {text}" for name, text in descriptions(outcome.engine.quirks).items()]
    lines += [f"warning: {text}" for text in as_runner(outcome.engine).warnings]
    causes = outcome.causes()
    for kind, _, several in causes[:SHOWN]:
        name, finding = several[0]
        lines += ["", one_line(f"{kind}: {finding['says']}")]
        lines += [f"    {line}" for line in printable(finding["text"]).splitlines()]
        lines += [f"  {line}" for line in _facts(outcome, finding, one_line, _quoted)]
        lines.append(one_line(f"  finding: {where}/findings/{name}.json"))
        if len(several) > 1:
            lines.append(f"  and {len(several) - 1} more findings of the same kind and cause")
    if len(causes) > SHOWN:
        lines.append(f"\n... and {len(causes) - SHOWN} more causes, in the corpus")
    return "\n".join([*lines, "", *_ending(outcome, where)])


def _headline(outcome: Outcome) -> str:
    earlier = f", {outcome.before:,} of them in earlier runs" if outcome.before else ""
    return (
        f"{label(outcome.engine)} against {label(outcome.reference)}: "
        f"{outcome.total.programs:,} programs{earlier}, seed {outcome.identity.seed}, "
        f"{clock(outcome.seconds)}"
    )


def _quoted(text: object) -> str:
    return f"`{one_line(text)}`"


def _facts(
    outcome: Outcome,
    finding: FindingData,
    plain: Callable[[object], str],
    quoted: Callable[[object], str],
) -> Iterator[str]:
    """Values, diagnosis and script of a finding, one line each.

    ``plain`` and ``quoted`` escape text and names for the place where they are shown.
    """
    for who, shown in zip((outcome.engine, outcome.reference), finding["shown"], strict=True):
        yield plain(f"{label(who)}: {shown}")
    if finding["wrong"] == "reference":
        yield plain(f"by an exact evaluation it is {outcome.reference.name} that is wrong")
    if finding["error_over_bound"] is not None:
        yield f"error: {finding['error_over_bound']:.3g} times what rounding explains"
    if line := size_line(finding.get("error_size")):
        yield plain(line)
    for one in finding["diagnosis"]:
        yield f"cause {quoted(one['defect'])}: {plain(one['says'])}"
    if finding["script"]:
        yield plain(f"script: {finding['script']}")
    yield f"found {finding['count']} times, first by program {finding['program_number']}"


def _ending(outcome: Outcome, where: str) -> Iterator[str]:
    if outcome.total.ill_conditioned:
        text = no_findings(outcome.total.ill_conditioned)
        yield one_line(f"{text}; they are in {where}/{ILL_CONDITIONED}")
    reached = len(outcome.reachable & set(outcome.total.coverage))
    yield f"coverage: {reached} of {len(outcome.reachable)} features reached"
    if outcome.total.twice:
        yield str(outcome.total.stability)
    if outcome.exported:
        yield (
            f"{outcome.exported} findings are exported to the Hypothesis database: "
            f"pytest --pyargs parity --parity-engine {one_line(outcome.identity.spec)} "
            "replays them first"
        )
    if outcome.interrupted:
        yield "interrupted: the same command continues from here"


def _verdict(outcome: Outcome) -> str:
    return verdict_of(bool(outcome.findings), outcome.interrupted)


def verdict(outcome: Outcome) -> str:
    """Return the last line for the terminal."""
    return verdict_line(_verdict(outcome), _counts(outcome))


def _counts(outcome: Outcome) -> str:
    programs = plural(outcome.total.programs, "program")
    if not outcome.findings:
        return f"no difference in {programs}"
    kinds = plural(len(outcome.causes()), "cause")
    differ = f"{outcome.total.failing.total():,} of {programs} differ"
    return f"{plural(len(outcome.findings), 'finding')} of {kinds}; {differ}"


def markdown(outcome: Outcome, where: str) -> str:
    total, causes = outcome.total, outcome.causes()
    counts = (
        f"{total.programs:,}",
        f"{total.failing.total():,}",
        len(outcome.findings),
        f"{len(outcome.reachable & set(total.coverage))} of {len(outcome.reachable)}",
    )
    lines = [
        f"## parity fuzz: {_verdict(outcome)}",
        "",
        escape.markdown(_headline(outcome)) + ("; interrupted" if outcome.interrupted else ""),
        "",
        *table(("programs", "programs that differ", "findings", "coverage"), [counts], "rrrr"),
    ]
    if total.twice:
        lines += ["", str(total.stability)]
    if causes:
        rows = []
        for kind, named, several in causes:
            like = ", ".join(map(escape.code, named)) or "unexplained"
            rows.append((escape.code(kind), like, len(several)))
        lines += ["", *table(("kind", "cause", "findings"), rows, "llr")]
    for kind, _, several in causes[:SHOWN]:
        name, finding = several[0]
        lines += ["", f"### {escape.code(kind)}: {escape.markdown(finding['says'])}", ""]
        lines += [*escape.block(finding["text"]), ""]
        facts = _facts(outcome, finding, escape.markdown, escape.code)
        lines += [f"- {fact}" for fact in facts]
        lines.append(f"- finding: {escape.code(f'{where}/findings/{name}.json')}")
    return "\n".join(lines) + "\n"
