"""Results of a search: reports of findings, and the run that found them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.campaign.baseline import BaselineEntry
from parity.diagnose.diagnosis import Diagnosis
from parity.engines.base import Engine, label
from parity.engines.quirks.table import descriptions
from parity.engines.runner import Runner
from parity.generate.coverage import Coverage
from parity.language.json_format import program_to_json
from parity.language.program import Program
from parity.oracle.adjudicate import UNDECIDED, Verdict
from parity.oracle.finding import Finding
from parity.oracle.probes import PROBES


@dataclass
class Report:
    """A finding in the form in which it is reported."""

    finding: Finding
    program: Program | None
    number: int
    probe: str = ""
    script: str = ""
    #: What the third opinion says.
    verdict: Verdict = UNDECIDED
    diagnosis: Diagnosis | None = None

    @property
    def wrong(self) -> str | None:
        """Which side is wrong: "engine", "reference", or None where that is undecided."""
        return self.verdict.wrong

    @property
    def key(self) -> str:
        """What a baseline knows the finding by: the text of its program, or its probe."""
        return str(self.program) if self.program is not None else f"probe {self.probe_name}"

    @property
    def probe_name(self) -> str:
        """The name of the probe; "" for what is no probe, which no baseline can accept."""
        return next((p.name for p in PROBES if p.description == self.probe), "")

    def to_json(self) -> dict[str, Any]:
        """The object of the contract (``parity check --json``)."""
        program = self.program
        return {
            "kind": self.finding.kind,
            "statements": len(program.statements) if program else 0,
            "leaves": len(program.leaves) if program else 0,
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
    """The result of a run."""

    engine: Runner
    reference: Engine
    seed: int
    programs: int = 0
    seconds: float = 0.0
    failing: int = 0
    #: Reduced differences that rounding decides: no findings.
    ill_conditioned: int = 0
    #: Whether it was ended before the last program.
    interrupted: bool = False
    reported: list[Report] = field(default_factory=list)
    #: Programs that differ only after others in the same process.
    disturbed: int = 0
    #: Findings that are accepted: how often each was found, and those that are gone.
    known: Counter[BaselineEntry] = field(default_factory=Counter)
    stale: tuple[BaselineEntry, ...] = ()
    untested: tuple[str, ...] = ()
    #: What the adapter said that the engine lacks, and how many programs ended there.
    unsupported: Counter[str] = field(default_factory=Counter)
    exposure: Coverage | None = None

    def to_json(self) -> dict[str, Any]:
        """The object of the contract (``parity check --json``)."""
        exposure = {"exposure": self.exposure.to_json()} if self.exposure else {}
        return {
            "engine": label(self.engine),
            "reference": label(self.reference),
            "seed": self.seed,
            "programs": self.programs,
            "seconds": round(self.seconds, 3),
            "ill_conditioned": self.ill_conditioned,
            "interrupted": self.interrupted,
            "verdict": "findings" if self.fails else "parity",
            "untested": list(self.untested),
            "quirks": sorted(self.engine.quirks),
            "quirks_say": descriptions(self.engine.quirks),
            "findings": [r.to_json() for r in self.reported],
            "known": [
                {**entry.to_json(), "programs": count, "occurs": entry not in self.stale}
                for entry, count in self.known.items()
            ],
            **exposure,
        }

    @property
    def fails(self) -> bool:
        """Whether there is a finding that is not known, or a known one that is gone."""
        return bool(self.reported or self.stale)


def _plain(value: Any) -> Any:
    """Arrays as lists of numbers; what JSON lacks as text."""
    if value is None or isinstance(value, str):
        return value
    flat = np.asarray(value, np.float64).ravel().tolist()
    return [v if np.isfinite(v) else str(v) for v in flat]
