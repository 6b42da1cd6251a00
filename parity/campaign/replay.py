"""Runs the findings and kept cases of a corpus again, and reduces findings again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parity._util.escape import one_line
from parity._util.process import fuzzing_runtime
from parity.campaign.cases import Reader
from parity.campaign.corpus import Corpus
from parity.campaign.finish import add_cause, explained, judge_finding
from parity.campaign.flaky import RUNS, differing, kept_state, reduced_flaky, runs_of
from parity.campaign.records import FindingData, names
from parity.campaign.result import finding_json
from parity.campaign.shard import script_of
from parity.diagnose.shrink import SIMPLER
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.trace import STOPPED, UNSUPPORTED, Failure
from parity.language.json_format import program_from_json
from parity.oracle.check import check_program
from parity.oracle.finding import Finding, Kind
from parity.oracle.probes import PROBES_BY_NAME

#: A flaky program runs at most so often before it counts as fixed.
MOST_RUNS = 5000


@dataclass(frozen=True)
class Replayed:
    """A finding or a kept case, and the kind of finding that it gives ``now``, or None.

    ``not_run``: why a finding was not run to its end, so that None says nothing; "" if it was.
    """

    name: str
    finding: FindingData | None
    now: str | None
    not_run: str = ""

    @property
    def fixed(self) -> bool:
        """Whether it is a finding that both sides ran and that is none any more."""
        return self.finding is not None and self.now is None and not self.not_run

    def __str__(self) -> str:
        if self.finding is None:
            return one_line(f"fails: kept case {self.name}: {self.now}")
        text = "; ".join(self.finding["text"].splitlines())
        kind = self.finding["kind"]
        if self.not_run:
            return f"not run: {self.name}: {kind}: {self.not_run}: {text}"
        state = "fixed" if self.now is None else "fails"
        other = f", now {self.now}" if self.now not in (None, kind) else ""
        return one_line(f"{state}: {self.name}: {kind}{other}: {text}")


def replay(corpus: Corpus, engine: AnyEngine, reference: Engine) -> Iterator[Replayed]:
    """Run every finding again, the smallest first, then every kept case; yield the results."""
    with fuzzing_runtime():
        for name, finding in corpus.reported():
            now = occurs(finding, engine, reference)
            why = "" if now else why_not_run(finding, engine, reference)
            yield Replayed(name, finding, now.kind if now else None, why)
        reader = Reader(engine)
        for name, kept in sorted(corpus.kept.items(), key=lambda pair: pair[1]):
            now = check_program(reader.program(kept.fuzz_input), engine, reference)
            yield Replayed(name, None, now.kind if now else None)


def occurs(finding: FindingData, engine: AnyEngine, reference: Engine) -> Finding | None:
    """Run the program or the probe of a finding again, and return its current finding."""
    if finding["probe"]:
        probe = PROBES_BY_NAME[finding["probe"]]
        return probe.first(engine) if probe.applies(engine) else None
    program = program_from_json(finding["program"])
    if repeats := finding.get("repeats"):
        # Enough runs for a fault that comes as often as it did to be missed once in 20,000 times.
        runs = min(MOST_RUNS, max(RUNS, 10 * -(-repeats["runs"] // repeats["differ"])))
        again = runs_of(program, engine, reference, runs)
        found = differing(again)
        return found[0].flaky(len(found), len(again)) if found else None
    before = [program_from_json(data) for data in finding.get("before", ())]
    if before:  # in a process in which nothing else ran
        engine = as_runner(engine).renewed()
        for other in before:
            engine.run(other)
    found_now = check_program(program, engine, reference)
    return kept_state(1).finding if before and found_now is not None else found_now


def why_not_run(finding: FindingData, engine: AnyEngine, reference: Engine) -> str:
    """Why the program of a finding, which gives no finding now, was not run; "" if it was.

    Where an exception of PyTorch is what the engine lacked, both sides raise once it is fixed.
    """
    runner = as_runner(engine)
    if finding["probe"]:
        applies = PROBES_BY_NAME[finding["probe"]].applies(engine)
        return "" if applies else "the engine lacks what the probe needs"
    program = program_from_json(finding["program"])
    if not runner.supports(program):
        return "the engine lacks an operation, a dtype or the dimensions of the program"
    traces = {
        "the engine": runner.run(program),
        "the reference": execute(program, with_quirks(reference, runner.quirks)),
    }
    for who, trace in traces.items():
        failure = trace.failure
        if failure is None or (finding["kind"] == Kind.NO_EXCEPTION and not _is_limit(failure)):
            continue
        return f"{who} raised {failure.text()}"
    return "a value is not a real number" if any(t.left_reals for t in traces.values()) else ""


def _is_limit(failure: Failure) -> bool:
    """Whether a run ended for another reason than its program."""
    return failure.kind in {*STOPPED, UNSUPPORTED} or "memory" in failure.text().lower()


def minimized(finding: FindingData, triage: Triage) -> tuple[FindingData, str] | None:
    """Reduce and diagnose a finding again; return it with its script, or None if it is gone.

    A finding of a probe is returned unchanged. The corpus sets the path in ``script``.
    """
    engine, reference = triage.engine, triage.reference
    with fuzzing_runtime():
        now = occurs(finding, engine, reference)
        if now is None or (
            now.kind not in SIMPLER.get(finding["kind"], frozenset()) | {finding["kind"]}
        ):
            return None
        if finding["probe"] or finding.get("before"):
            return finding, ""
        whole = program_from_json(finding["program"]), now
        number = finding["program_number"]
        reported = next(iter(explained(*whole, triage, number)), None)
        if reported is None:
            flaky = now.kind is Kind.FLAKY
            small = reduced_flaky(*whole, engine, reference) if flaky else triage.reduced(*whole)
            reported = judge_finding(small, whole, engine, reference, number)
        if reported is None:
            return None
        if reported.cause is None:
            add_cause(reported, triage)
    again = finding_json(reported, None, finding["first_seen"]["shard"])
    kept = {key: finding[key] for key in ("case", "count")}
    result = {**again, **kept, "script": ""}
    return result, script_of(reported, engine, f"{names(result)[0]}.py")
