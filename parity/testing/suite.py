"""``Suite``, the object behind the ``parity`` fixture."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from parity import __version__
from parity._util.escape import file_name, one_line
from parity._util.names import named
from parity._util.process import fuzzing_runtime
from parity.campaign.baseline import (
    FLAKY_RUNS,
    Baseline,
    BaselineEntry,
    BaselineMatcher,
    load_baseline,
)
from parity.campaign.database import check_database
from parity.campaign.finish import add_cause, write_script
from parity.campaign.flaky import Repetition
from parity.campaign.hypothesis_search import run_property
from parity.campaign.paths import FINDINGS
from parity.campaign.regressions import RegressionError, read_regression
from parity.campaign.result import Report
from parity.diagnose.triage import Triage
from parity.engines.base import Engine, label
from parity.engines.open import open_engines
from parity.engines.quirks.table import descriptions
from parity.engines.runner import Runner
from parity.function.check import check_function
from parity.function.frameworks import Function
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.oracle.check import check_repeatedly
from parity.oracle.finding import Kind
from parity.oracle.probes import PROBES_BY_NAME
from parity.testing.keys import COUNTS, KNOWN


@dataclass(frozen=True)
class Suite:
    """The engine under test, its reference and the budget of a run, with the checks of tests."""

    spec: str
    engine: Runner
    reference: Engine
    programs: int
    seed: int
    known: Baseline = field(default_factory=Baseline)
    #: The database of failing programs (``parity.campaign.database``).
    database: str | None = None
    node: Any = None
    #: The causes of the engine, shared by all tests; made if it is not given.
    triage: Triage = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.triage is None:
            object.__setattr__(self, "triage", Triage(self.engine, self.reference))

    @staticmethod
    def of(
        engine: str,
        reference: str,
        programs: int,
        seed: int,
        known: str | None = None,
        isolate: bool | None = None,
        database: str | None = None,
    ) -> Suite:
        """Load both engines, and the baseline from the file ``known`` if there is one.

        ``isolate``: as in ``open_engines``. Raises EngineError or BaselineError.
        """
        accepted = load_baseline(Path(known)) if known else Baseline()
        pair = open_engines(engine, reference, isolate)
        if database:
            check_database(database)
        return Suite(engine, *pair, programs, seed, accepted, database)

    def for_test(self, node: Any) -> Suite:
        """Return a copy that reports counts and failures for one test."""
        return replace(self, node=node)

    def header(self) -> list[str]:
        """Return versions, engine and budget for the session header."""
        return [
            f"parity {__version__}: {label(self.engine)} ({one_line(self.spec)}) against "
            f"{label(self.reference)}",
            f"parity: {self.programs} programs, seed {self.seed}; numpy {np.__version__}, "
            f"hypothesis {hypothesis.__version__}",
            *(
                f"parity: quirk {name}: {text}"
                for name, text in descriptions(self.engine.quirks).items()
            ),
            *(f"parity: warning: {text}" for text in self.engine.warnings),
        ]

    def check(self, profile: str, share: float, needs: tuple[str, ...] = ()) -> None:
        """Run ``share`` of the budget on programs of ``profile``; fail with the findings.

        ``needs``: abilities and operations without which the test is skipped.
        """
        __tracebackhide__ = True
        decoder = Decoder.of(named(profile, PROFILES, "profile"), self.engine)
        self.need(needs, decoder.abilities)
        count = max(1, round(share * self.programs))
        name = file_name(self.node.name)
        pair = self.engine, self.reference
        outcome = run_property(
            decoder, *pair, count, self.seed, self.known, self.database, self.triage
        )
        tally = outcome.tally
        self.node.user_properties.append((COUNTS, astuple(tally)))
        self._accept(outcome.known)
        self.report(outcome.reported, name)

    def need(self, names: tuple[str, ...], able: frozenset[str] | None = None) -> None:
        """Skip the test if the engine lacks an ability, an operation or a dtype."""
        have = self.engine.abilities if able is None else able
        have = have | set(self.engine.ops) | set(self.engine.dtypes)
        missing = [name for name in names if name not in have]
        if missing:
            pytest.skip(f"{label(self.engine)} has no {', '.join(missing)}")

    def probe(self, name: str) -> None:
        """Run a probe of ``parity.oracle.probes``; fail with its finding."""
        __tracebackhide__ = True
        probe = named(name, PROBES_BY_NAME, "probe")
        if not probe.applies(self.engine):
            pytest.skip(f"{label(self.engine)} has none of {', '.join(probe.needs)}")
        finding = probe.first(self.engine)
        if finding is not None:
            if not finding.stopped and probe.first(self.engine) is None:
                finding = finding.flaky(1, 2)
            reported = Report(finding, None, -1, probe=probe.description)
            entry = self.known.find(finding.kind, reported.key)
            if entry is not None:
                self._accept(Counter([entry]))
                return
            add_cause(reported, self.triage)
            self.report([reported], name)

    def regression(self, file: Path) -> None:
        """Run the program of a file of ``parity promote``; fail with its finding."""
        __tracebackhide__ = True
        try:
            program = read_regression(file)
        except RegressionError as error:
            pytest.fail(one_line(error), pytrace=False)
        if not self.engine.supports(program):
            pytest.skip(f"{label(self.engine)} does not have what the program uses")
        with fuzzing_runtime():
            sides = self.engine, self.reference
            # A program that parity promote wrote for a flaky finding differs now and then.
            runs = FLAKY_RUNS if file.name.startswith(f"{Kind.FLAKY}-") else 1
            found = itertools.islice(check_repeatedly(program, *sides), runs)
            finding = next(filter(None, found), None)
            if finding is None:
                return
            judged = Repetition(*sides).judged(program, finding)
            reported = Report(judged, program, -1)
            add_cause(reported, self.triage)
        self.report([reported], file_name(file.stem))

    def check_function(self, f: Function, *examples_or_shapes: Any, **options: Any) -> None:
        """Run ``parity.check_function``; write the scripts of findings, and fail with the report.

        Examples
        --------
        In a test, with the fixture::

            def test_my_function(parity):
                parity.check_function(MyFunction.apply, (3, 4))
        """
        __tracebackhide__ = True
        options = {"seed": self.seed, "findings": FINDINGS, **options}
        result = check_function(f, *examples_or_shapes, **options)
        if not result.ok:
            pytest.fail(str(result), pytrace=False)

    def known_occur(self) -> None:
        """Fail if entries of the baseline no longer occur."""
        __tracebackhide__ = True
        stale = BaselineMatcher(self.known, self.triage).stale()
        if stale:
            pytest.fail("\n\n".join(entry.stale() for entry in stale), pytrace=False)

    def _accept(self, known: Counter[BaselineEntry]) -> None:
        """Record found entries of the baseline for the summary."""
        for entry, count in known.items():
            self.node.user_properties.append((KNOWN, (str(entry), count)))

    def report(self, reported: list[Report], stem: str) -> None:
        """Write the scripts of findings, and fail with their reports, if there are any."""
        __tracebackhide__ = True
        for one in reported:
            write_script(one, self.engine, FINDINGS, f"{stem}-{one.finding.kind}")
        if reported:
            texts = [one.text(self.engine, self.reference) for one in reported]
            pytest.fail("\n\n".join(texts), pytrace=False)
