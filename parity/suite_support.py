"""What the modules of the suite share: the engine, the budget, and how a check fails."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from parity import __version__
from parity.engines.base import Engine, abilities
from parity.generate import PROFILES, Decoder
from parity.hunt import Reported, add_diagnosis, describe, label, write_script
from parity.isolate import load
from parity.plugin import COUNTS
from parity.probes import PROBES
from parity.properties import run_property

FOLDER = Path("parity-findings")


@dataclass(frozen=True)
class Suite:
    """An engine under test, its reference and the budget of a run."""

    spec: str
    engine: Engine
    reference: Engine
    programs: int
    seed: int
    node: Any = None

    @staticmethod
    def of(
        engine: str, reference: str, programs: int, seed: int, isolate: bool | None = None
    ) -> Suite:
        """Load both engines; EngineError where one cannot be used.

        ``isolate``: as in ``parity.isolate.load``.
        """
        return Suite(engine, *load(engine, reference, isolate), programs, seed)

    def for_test(self, node: Any) -> Suite:
        """The same for one test: counts and failures belong to it."""
        return replace(self, node=node)

    def header(self) -> list[str]:
        """Versions, engine and budget for the session header."""
        quirks = f"; quirks: {', '.join(sorted(self.engine.quirks))}" if self.engine.quirks else ""
        return [
            f"parity {__version__}: {label(self.engine)} ({self.spec}) against "
            f"{label(self.reference)}{quirks}",
            f"parity: {self.programs} programs, seed {self.seed}; numpy {np.__version__}, "
            f"hypothesis {hypothesis.__version__}",
        ]

    def check(self, profile: str, share: float, needs: tuple[str, ...] = ()) -> None:
        """Run ``share`` of the budget on programs of ``profile``; fail with what is found.

        ``needs``: abilities and operations without which the test is skipped.
        """
        __tracebackhide__ = True
        decoder = Decoder.of(PROFILES[profile], self.engine)
        self.need(needs, decoder.abilities)
        count = max(1, round(share * self.programs))
        name = re.sub(r"\W+", "-", self.node.name).strip("-")
        outcome = run_property(decoder, self.engine, self.reference, count, self.seed, name)
        tally = outcome.tally
        self.node.user_properties.append((COUNTS, (tally.programs, tally.reused, tally.hubs)))
        self.report(outcome.reported, name)

    def need(self, names: tuple[str, ...], able: frozenset[str] | None = None) -> None:
        """Skip the test if the engine lacks an ability, an operation or a dtype."""
        have = abilities(self.engine) if able is None else able
        have = have | set(self.engine.ops) | set(self.engine.dtypes)
        missing = [name for name in names if name not in have]
        if missing:
            pytest.skip(f"{label(self.engine)} has no {', '.join(missing)}")

    def probe(self, name: str) -> None:
        """Run a probe of ``parity.probes``; fail with what it finds."""
        __tracebackhide__ = True
        probe = next(p for p in PROBES if p.name == name)
        if not probe.applies(self.engine):
            pytest.skip(f"{label(self.engine)} has none of {', '.join(probe.needs)}")
        finding = next(probe.run(self.engine), None)
        if finding is not None:
            reported = Reported(finding, None, -1, probe=probe.says)
            add_diagnosis(reported, self.engine, self.reference)
            self.report([reported], name)

    def report(self, reported: list[Reported], stem: str) -> None:
        """Fail if there are findings: reduced program, values, kind, script."""
        __tracebackhide__ = True
        for one in reported:
            write_script(one, self.engine, FOLDER, f"{stem}-{one.finding.kind}")
        if reported:
            texts = [describe(one, self.engine, self.reference) for one in reported]
            pytest.fail("\n\n".join(texts), pytrace=False)
