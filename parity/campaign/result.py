"""The result of a search, and the reports of its findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from parity._util.decode import encode
from parity._util.escape import one_line
from parity._util.style import PLAIN, Style
from parity.campaign.baseline import BaselineEntry
from parity.campaign.cases import FuzzInput
from parity.campaign.records import FindingData
from parity.campaign.report import (
    MOST_ELEMENTS,
    finding_lines,
    headline,
    result_lines,
    with_form,
)
from parity.campaign.report import distinguishable_texts as distinguishable_texts
from parity.campaign.report import expected_by as expected_by
from parity.diagnose.causes import UNEXPLAINED, Cause
from parity.engines.base import Engine, label
from parity.engines.quirks.table import descriptions, with_quirks
from parity.engines.runner import AnyEngine, Runner
from parity.generate.coverage import Coverage
from parity.language.json_format import program_to_json
from parity.language.program import Program
from parity.oracle.combined import ErrorSize, error_size
from parity.oracle.finding import Finding
from parity.oracle.one_program import picture
from parity.oracle.probes import PROBES
from parity.oracle.stability import Stability
from parity.oracle.verdict import (
    UNDECIDED,
    Verdict,
    plural,
    verdict_line,
    verdict_of,
)


@dataclass
class Report:
    """A finding with its program, verdict, cause and script."""

    finding: Finding
    program: Program | None
    number: int
    probe: str = ""
    script: str = ""
    verdict: Verdict = UNDECIDED
    cause: Cause | None = None
    #: The programs that the finding stands for, if it is flaky; those that run before the program,
    #: if it differs only after them.
    programs: int = 1
    before: tuple[Program, ...] = ()

    @property
    def wrong(self) -> str | None:
        """The side that is wrong, "engine" or "reference"; None if undecided."""
        return self.verdict.wrong

    @property
    def key(self) -> str:
        """The text of the program or the name of the probe, which baselines compare."""
        return str(self.program) if self.program is not None else f"probe {self.probe_name}"

    @property
    def size(self) -> tuple[int, int]:
        """The numbers of statements and leaves of the program."""
        return (len(self.program.statements), len(self.program.leaves)) if self.program else (0, 0)

    @property
    def probe_name(self) -> str:
        """The name of the probe, or "" for a finding that no probe made."""
        return next((p.name for p in PROBES if p.description == self.probe), "")

    def picture(self, engine: Runner, reference: Engine) -> str:
        """Return the graph of the program as SVG with both results; "" if it is not known."""
        trace = self.finding.trace
        if self.program is None or trace is None or self.before:
            return ""
        return picture(self.program, trace, with_quirks(reference, engine.quirks))

    @property
    def error_size(self) -> ErrorSize | None:
        """How large the error is; None where the engine declares that it has every bit right."""
        return None if self.verdict.bits else error_size(self.finding, self.program)

    def text(self, engine: AnyEngine, reference: Engine) -> str:
        """Return the report as text: program, both results, kind and script."""
        return "\n".join(finding_lines(self, engine, reference))

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data (``parity check --json``)."""
        program = self.program
        return {
            "kind": self.finding.kind,
            "statements": self.size[0],
            "leaves": self.size[1],
            "program": program_to_json(program) if program else {},
            "text": str(program) if program else self.probe,
            "engine": _plain(self.finding.engine),
            "reference": _plain(self.finding.reference),
            "wrong": self.wrong,
            "error_over_bound": None if self.verdict.bits else self.finding.error_over_bound,
            "error_size": self.error_size,
            "diagnosis": self._diagnosis(),
            "program_number": self.number,
            "script": self.script,
            "repeats": _repeats(self.finding),
        }

    def _diagnosis(self) -> list[dict[str, Any]]:
        """Return the name of the cause in the form that reports had before there were causes."""
        cause = self.cause
        if cause is None or cause.name == UNEXPLAINED:
            return []
        count = cause.programs
        return [{"defect": cause.key, "agrees": count, "of": count, "says": cause.sentence}]


@dataclass
class SearchResult:
    """The result of ``parity.check``; its text is the report that ``parity check`` prints.

    Attributes
    ----------
    findings
        The reports, the worst first.
    programs, failing
        The number of programs that ran, and of those that failed.
    """

    engine: Runner
    reference: Engine
    seed: int
    programs: int = 0
    seconds: float = 0.0
    failing: int = 0
    #: Programs that differ, that no cause explains and that were not reduced.
    unexplained: int = 0
    #: Reduced differences within rounding error, which are no findings.
    ill_conditioned: int = 0
    interrupted: bool = False
    #: Whether the search ended early, as most programs end the process of the engine.
    cut: bool = False
    #: The folder of the scripts, or "" where none was written.
    folder: str = ""
    #: Why scripts could not be written, or "".
    unwritten: str = ""
    findings: list[Report] = field(default_factory=list)
    #: Programs whose finding depends on earlier programs in the same process.
    disturbed: int = 0
    #: How often each entry of the baseline was found, and the entries that no longer occur.
    known: Counter[BaselineEntry] = field(default_factory=Counter)
    stale: tuple[BaselineEntry, ...] = ()
    untested: tuple[str, ...] = ()
    #: Messages of ``Unsupported``, and the number of programs that each ended.
    unsupported: Counter[str] = field(default_factory=Counter)
    coverage: Coverage | None = None
    stability: Stability = field(default_factory=Stability)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON data (``parity check --json``)."""
        coverage = {"exposure": self.coverage.to_json()} if self.coverage else {}
        return {
            "engine": label(self.engine),
            "reference": label(self.reference),
            "seed": self.seed,
            "programs": self.programs,
            "seconds": round(self.seconds, 3),
            "ill_conditioned": self.ill_conditioned,
            "interrupted": self.interrupted,
            "stability": self.stability.to_json(),
            "verdict": self.verdict,
            "untested": list(self.untested),
            "left_out": dict(self.engine.left_out),
            "quirks": sorted(self.engine.quirks),
            "quirks_say": descriptions(self.engine.quirks),
            "warnings": list(self.engine.warnings),
            "findings": [r.to_json() for r in self.findings],
            "causes": self._causes(),
            "unexplained": self.unexplained,
            "known": [
                {**entry.to_json(), "programs": count, "occurs": entry not in self.stale}
                for entry, count in self.known.items()
            ],
            **coverage,
        }

    @property
    def causes(self) -> list[Cause]:
        """What is wrong, once each, the worst first."""
        return list(dict.fromkeys(r.cause for r in self.findings if r.cause is not None))

    def _causes(self) -> list[dict[str, Any]]:
        return [
            {
                **cause.to_json(),
                "findings": [i for i, r in enumerate(self.findings) if r.cause is cause],
            }
            for cause in self.causes
        ]

    @property
    def ok(self) -> bool:
        """Whether the run was complete and found nothing beyond the baseline."""
        return not self.fails and not self.interrupted

    @property
    def verdict(self) -> str:
        """ "parity", "findings" or "interrupted"."""
        return verdict_of(self.fails, self.interrupted)

    def __str__(self) -> str:
        return f"{self.text()}\n\n{self.verdict_line()}"

    def _repr_html_(self) -> str:
        """Return the report for a notebook, with the graph of each reduced program."""
        sides = self.engine, self.reference
        parts = [f"<p><b>{escape(headline(self))}</b></p>"]
        for report in self.findings:
            parts.append(f"<pre>{escape(report.text(*sides))}</pre>")
            parts.append(report.picture(*sides))
        return "".join([*parts, f"<pre>{escape(self.verdict_line())}</pre>"])

    def text(self, style: Style = PLAIN, verbose: bool = False) -> str:
        """Return the report without the line of the verdict.

        ``style``: the colours; ``verbose``: whether to list what was not tested.
        """
        return "\n".join(result_lines(self, style, verbose))

    def verdict_line(self) -> str:
        """Return the last line of the report, ``verdict: ...``."""
        return verdict_line(self.verdict, self._details())

    def _details(self) -> str:
        if not self.fails and not self.interrupted:
            known = " but what is known" if any(self.known.values()) else ""
            return f"no difference in {plural(self.programs, 'program')}{known}"
        found = [plural(len(self.findings), "finding")]
        if self.stale:
            found.append(f"{len(self.stale)} of the baseline no longer occur")
        if self.unexplained and not self.findings:
            found.append(f"{plural(self.unexplained, 'program')} that nothing explains")
        if self.cut:
            found.append("not all programs ran, as most end the process")
        differ = f"{self.failing:,} of {plural(self.programs, 'program')} differ"
        return f"{', '.join(found)}; {differ}{'s' if self.programs == 1 else ''}"

    @property
    def fails(self) -> bool:
        """Whether a finding is not in the baseline, an entry is stale, or a program unexplained."""
        return bool(self.findings or self.stale or self.unexplained)


def _repeats(finding: Finding) -> dict[str, Any] | None:
    """Return in how many runs a flaky program differed, as JSON data."""
    repeats = finding.repeats
    return repeats and {**repeats._asdict(), "says": str(repeats)}


def _plain(value: Any) -> Any:
    """Return an array as a list of numbers, with nan and infinity as text.

    A large array, and one of anything but real numbers, is text as a whole.
    """
    if isinstance(value, (np.generic, int, float)):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        return value if value is None else one_line(value)
    value = np.asarray(value)  # a subclass may have other methods
    if value.dtype.kind not in "fiub" or value.size > MOST_ELEMENTS:
        return one_line(with_form(value))
    with np.errstate(all="ignore"):  # a longer float may be too large
        flat = value.astype(np.float64).ravel().tolist()
    return [v if np.isfinite(v) else str(v) for v in flat]


def finding_json(reported: Report, case: FuzzInput | None, shard: int) -> FindingData:
    """Return a report as JSON data for a corpus; ``program_number`` counts the whole campaign.

    The texts in ``shown`` differ also if only the dtypes or shapes of the two results do.
    """
    texts = distinguishable_texts(reported.finding.engine, reported.finding.reference)
    return {
        **reported.to_json(),
        "says": "; ".join(filter(None, (reported.finding.says, reported.verdict.note))),
        "shown": [" ".join(text.split()) for text in texts],
        "probe": reported.probe_name,
        "place": reported.finding.place,
        "case": encode(case) if case else None,
        "first_seen": {"shard": shard, "program": reported.number},
        "count": reported.programs,
        "before": [program_to_json(program) for program in reported.before],
    }
