"""The result of a search, and the reports of its findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity._util.decode import encode
from parity.campaign.baseline import BaselineEntry
from parity.campaign.cases import FuzzInput
from parity.campaign.records import FindingData
from parity.diagnose.diagnosis import Diagnosis
from parity.engines.base import Engine, label
from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, Runner
from parity.generate.coverage import Coverage
from parity.language.json_format import program_to_json
from parity.language.program import Program
from parity.oracle.finding import Finding
from parity.oracle.probes import PROBES
from parity.oracle.verdict import REFERENCE, UNDECIDED, Verdict, no_findings


def distinguishable_texts(a: Any, b: Any) -> tuple[str, str]:
    """Format two values so that the texts differ: by more digits, then by dtype and shape."""
    texts = str(a), str(b)
    if texts[0] == texts[1]:
        with np.printoptions(floatmode="unique"):
            texts = str(a), str(b)
    return texts if texts[0] != texts[1] else (_with_form(a), _with_form(b))


def _with_form(value: Any) -> str:
    return f"{value} ({value.dtype} {value.shape})" if isinstance(value, np.ndarray) else str(value)


@dataclass
class Report:
    """A finding with its program, verdict, diagnosis and script."""

    finding: Finding
    program: Program | None
    number: int
    probe: str = ""
    script: str = ""
    verdict: Verdict = UNDECIDED
    diagnosis: Diagnosis | None = None

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

    def text(self, engine: AnyEngine, reference: Engine) -> str:
        """Return the report as text: program, both results, kind and script."""
        finding = self.finding
        program = str(self.program) if self.program else self.probe
        lines = [str(finding), *("    " + line for line in program.splitlines())]
        shown = distinguishable_texts(finding.engine, finding.reference)
        for who, text in zip((engine, reference), shown, strict=True):
            lines.append(f"  {label(who)}: " + text.replace("\n", "\n" + " " * 12))
        if self.wrong == REFERENCE:  # otherwise it is what a finding says anyway
            lines.append(f"  by an exact evaluation it is {reference.name} that is wrong")
        if self.verdict.note:
            undecided = "who is wrong is undecided: " if self.wrong is None else ""
            lines.append(f"  {undecided}{self.verdict.note}")
        if finding.error_over_bound is not None and not self.verdict.bits:
            lines.append(f"  error: {finding.error_over_bound:.3g} times what rounding explains")
        if self.diagnosis is not None:
            lines += ["  " + line for line in self.diagnosis.text().splitlines()]
        if self.script:
            lines.append(f"  script: {self.script}")
        return "\n".join(lines)

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
            "diagnosis": self.diagnosis.to_json() if self.diagnosis else [],
            "program_number": self.number,
            "script": self.script,
        }


@dataclass
class SearchResult:
    """The result of ``parity.check``; its text is the report that ``parity check`` prints.

    Attributes
    ----------
    findings
        The reports, the smallest program first.
    programs, failing
        The number of programs that ran, and of those that failed.
    """

    engine: Runner
    reference: Engine
    seed: int
    programs: int = 0
    seconds: float = 0.0
    failing: int = 0
    #: Reduced differences within rounding error, which are no findings.
    ill_conditioned: int = 0
    interrupted: bool = False
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
            "verdict": self.verdict,
            "untested": list(self.untested),
            "quirks": sorted(self.engine.quirks),
            "quirks_say": descriptions(self.engine.quirks),
            "findings": [r.to_json() for r in self.findings],
            "known": [
                {**entry.to_json(), "programs": count, "occurs": entry not in self.stale}
                for entry, count in self.known.items()
            ],
            **coverage,
        }

    @property
    def ok(self) -> bool:
        """Whether the run was complete and found nothing beyond the baseline."""
        return not self.fails and not self.interrupted

    @property
    def verdict(self) -> str:
        """ "parity" or "findings"."""
        return "findings" if self.fails else "parity"

    def __str__(self) -> str:
        lines = [
            f"{label(self.engine)} against {label(self.reference)}: {self.programs} programs, "
            f"seed {self.seed}, {self.seconds:.1f} s"
        ]
        if self.untested:
            lines.append(f"not tested, since the engine lacks it: {', '.join(self.untested)}")
        if self.unsupported:
            ended = self.unsupported.total()
            lines.append(f"{ended} programs ended early, at what the adapter does not support")
        lines += [
            f"quirk {name}: {text}" for name, text in descriptions(self.engine.quirks).items()
        ]
        for report in self.findings:
            lines.append("\n" + report.text(self.engine, self.reference))
        if self.ill_conditioned:
            lines.append("\n" + no_findings(self.ill_conditioned))
        lines += [f"\nknown, found {n} times: {entry}" for entry, n in self.known.items()]
        lines += ["\n" + entry.stale() for entry in self.stale]
        if self.interrupted:
            lines.append("\ninterrupted: what was found so far")
        if self.fails:
            count = f"{self.failing} of {self.programs} programs differ"
            found = len(self.findings)
            lines.append(f"\n{found} finding{'s' if found != 1 else ''}; {count}")
        else:
            known = " but what is known" if any(self.known.values()) else ""
            lines.append(f"parity: no difference found{known}")
        if self.coverage is not None:
            lines.append("\n" + self.coverage.text())
        return "\n".join(lines)

    @property
    def fails(self) -> bool:
        """Whether a finding is not in the baseline, or an entry of the baseline is stale."""
        return bool(self.findings or self.stale)


def _plain(value: Any) -> Any:
    """Return an array as a list of numbers, with nan and infinity as text."""
    if value is None or isinstance(value, str):
        return value
    flat = np.asarray(value, np.float64).ravel().tolist()
    return [v if np.isfinite(v) else str(v) for v in flat]


def finding_json(reported: Report, case: FuzzInput | None, shard: int) -> FindingData:
    """Return a report as JSON data for a corpus; ``program_number`` counts the whole campaign.

    The texts in ``shown`` differ also if only the dtypes or shapes of the two results do.
    """
    texts = distinguishable_texts(reported.finding.engine, reported.finding.reference)
    return {
        **reported.to_json(),
        "says": "; ".join(filter(None, (reported.finding.kind.description, reported.verdict.note))),
        "shown": [" ".join(text.split()) for text in texts],
        "probe": reported.probe_name,
        "case": encode(case) if case else None,
        "first_seen": {"shard": shard, "program": reported.number},
        "count": 1,
    }
