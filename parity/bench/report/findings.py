"""The findings of a check or a campaign as one HTML page, with the look of the other report.

The page needs no network: style, drawings and scripts are in it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parity._util.decode import Count, FormatError, decode, encode
from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.files import parse_json, read_bytes
from parity.campaign.campaign import Outcome
from parity.campaign.errors import optional
from parity.campaign.report import category, distinguishable_texts, expected_by, headline
from parity.campaign.result import Report, SearchResult
from parity.diagnose.causes import Category
from parity.engines.base import Engine, label
from parity.engines.quirks.table import descriptions, with_quirks
from parity.engines.runner import Runner, as_runner
from parity.generate.coverage import Coverage
from parity.language.json_format import program_from_json
from parity.oracle.finding import Kind
from parity.oracle.one_program import picture
from parity.oracle.verdict import plural

#: Files in the folder of a page. The history has one entry for each run that wrote a page there.
PAGE, HISTORY = "findings.html", "history.json"
#: Runs that a history keeps, and findings that are drawn and shown in full.
MOST_RUNS, MOST_SHOWN = 1000, 100
#: Kinds of findings that one more run may not show, or does not survive.
_NOT_DRAWN = (Kind.FLAKY, Kind.CRASH, Kind.TIME, Kind.MEMORY)
#: Characters of a script that the page shows.
_LONGEST = 20_000


@dataclass(frozen=True)
class Fault:
    """A cause on the page: what is wrong, its smallest program, and both results."""

    kind: str
    sentence: str
    program: str
    expected: tuple[str, str]
    actual: tuple[str, str]
    notes: tuple[str, ...] = ()
    script: str = ""
    picture: str = ""
    convention: bool = False


@dataclass(frozen=True)
class Run:
    """A run in the history of a folder."""

    when: str
    programs: Count
    failing: Count
    findings: tuple[str, ...]


@dataclass(frozen=True)
class FindingsPage:
    """What a page shows."""

    engine: str
    verdict: str
    facts: tuple[str, ...]
    faults: tuple[Fault, ...]
    #: Groups of features with how many were reached, of how many, and those that were not.
    coverage: tuple[tuple[str, int, int, tuple[str, ...]], ...]
    untested: tuple[str, ...]
    programs: int
    failing: int


def page_of_search(result: SearchResult) -> FindingsPage:
    """Return the page of ``parity check``."""
    facts = (
        f"{plural(result.programs, 'program')}, seed {result.seed}, against "
        f"{label(result.reference)}",
        *(f"quirk {name}: {text}" for name, text in descriptions(result.engine.quirks).items()),
        *((str(result.stability),) if result.stability.programs else ()),
    )
    return FindingsPage(
        label(result.engine),
        headline(result),
        facts,
        tuple(_fault(r, result.engine, result.reference) for r in result.findings[:MOST_SHOWN]),
        tuple(_coverage(result.coverage)),
        result.untested,
        result.programs,
        result.failing,
    )


def _coverage(coverage: Coverage | None) -> Iterator[tuple[str, int, int, tuple[str, ...]]]:
    for name, cells in coverage.reachable.items() if coverage else ():
        missed = coverage.missed(name) if coverage else []
        texts = tuple(" ".join(map(str, cell)) for cell in missed)
        yield name, len(cells) - len(missed), len(cells), texts


def _fault(report: Report, engine: Runner, reference: Engine) -> Fault:
    finding, cause = report.finding, report.cause
    actual, expected = distinguishable_texts(finding.engine, finding.reference)
    notes = [*cause.text()] if cause is not None else []
    if cause is not None and cause.programs > 1:
        notes.append(f"explains {cause.programs:,} programs that differ")
    return Fault(
        str(finding.kind),
        one_line(cause.sentence if cause else finding.says),
        str(report.program) if report.program else report.probe,
        (expected_by(report.program, reference), expected),
        (label(engine), actual),
        tuple(map(one_line, notes)),
        _script(report.script),
        report.picture(engine, reference),
        category(report) is Category.CONVENTION,
    )


def page_of_campaign(outcome: Outcome) -> FindingsPage:
    """Return the page of ``parity fuzz``: one finding of each kind and cause."""
    missed = tuple(sorted(outcome.reachable - set(outcome.total.coverage)))
    reached = len(outcome.reachable) - len(missed)
    found, causes = len(outcome.findings), len(outcome.causes())
    verdict = f"{plural(found, 'finding')} of {plural(causes, 'cause')}"
    programs = f"{plural(outcome.total.programs, 'program')}, seed {outcome.identity.seed}"
    return FindingsPage(
        label(outcome.engine),
        verdict if outcome.findings else "no difference",
        (f"{programs}, against {label(outcome.reference)}", str(outcome.total.stability)),
        tuple(_faults(outcome)),
        (("features", reached, len(outcome.reachable), missed),),
        outcome.untested,
        outcome.total.programs,
        outcome.total.failing.total(),
    )


def _faults(outcome: Outcome) -> Iterator[Fault]:
    runner = as_runner(outcome.engine)
    expected_of = with_quirks(outcome.reference, runner.quirks)
    for kind, _, several in outcome.causes()[:MOST_SHOWN]:
        name, finding = several[0]
        program = (
            None
            if finding["probe"] or kind in _NOT_DRAWN or finding.get("before")
            else (program_from_json(finding["program"]))
        )
        actual, expected = finding["shown"]
        notes = [f"cause {one['defect']}: {one['says']}" for one in finding["diagnosis"]]
        notes.append(f"finding {name}, found {finding['count']} times")
        if len(several) > 1:
            notes.append(f"and {len(several) - 1} more findings of the same kind and cause")
        yield Fault(
            kind,
            one_line(finding["says"]),
            finding["text"],
            (label(outcome.reference), expected),
            (label(outcome.engine), actual),
            tuple(map(one_line, notes)),
            finding["script"],
            picture(program, runner.run(program), expected_of) if program else "",
        )


def _script(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text("utf-8")[:_LONGEST]
    except OSError:  # it could not be written
        return ""


def write_page(page: FindingsPage, folder: Path) -> None:
    """Write the page to a folder, and add the run to the history there. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        history = (*_history(folder / HISTORY), _run(page))[-MOST_RUNS:]
        (folder / PAGE).write_text(render(page, history), "utf-8", newline="\n")
        data = json.dumps(encode(list(history)), indent=1)
        (folder / HISTORY).write_text(data + "\n", "utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"--html {folder}: {error.strerror or error}") from error


def _run(page: FindingsPage) -> Run:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    sentences = tuple(fault.sentence for fault in page.faults if not fault.convention)
    return Run(now, page.programs, page.failing, sentences)


def _history(file: Path) -> tuple[Run, ...]:
    """Read the history of a folder. Raises UsageError if the file is of anything else."""
    try:
        return decode(tuple[Run, ...], parse_json(read_bytes(file)))
    except FileNotFoundError:
        return ()
    except (FormatError, ValueError) as error:
        raise UsageError(
            f"--html {file.parent}: {HISTORY}: {error}; name another folder or remove the file"
        ) from error


def render(page: FindingsPage, history: Sequence[Run]) -> str:
    """Return the page as HTML."""
    optional("jinja2", "report", "--html")
    from parity.bench.report.environment import environment

    text: str = (
        environment()
        .get_template("findings.html")
        .render(
            page=page,
            faults=[fault for fault in page.faults if not fault.convention],
            conventions=[fault for fault in page.faults if fault.convention],
            history=_rows(history),
        )
    )
    return text


def _rows(history: Sequence[Run]) -> list[tuple[Run, tuple[str, ...], tuple[str, ...]]]:
    """Return the runs, the newest first, with the findings that came and those that went."""
    rows = []
    before: tuple[str, ...] = ()
    for run in history:
        came = tuple(one for one in run.findings if one not in before)
        gone = tuple(one for one in before if one not in run.findings)
        rows.append((run, came, gone))
        before = run.findings
    return rows[::-1]
