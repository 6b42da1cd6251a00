"""Diagnose a finding: which known defects does the engine behave like?

The reduced program of a finding and about 40 similar programs, the probes, run on the engine and
on the engines of ``parity.diagnose.defects``. Defects that give the same results as the engine
on all probes, including wrong numbers and exceptions, are named.

Probes are variations of the program and generated programs that use what the engine and the
defects both support. Those that distinguish defects come first, and probes on which the
engine is right are a minority. Nothing is random: a finding always gets the same diagnosis.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from parity._util.process import fuzzing_runtime
from parity.diagnose.combinations import find_combination, find_masked
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.base import Defect
from parity.diagnose.diagnosis import WRONG_GRADIENT, WRONG_OPERATION, Agreement, Diagnosis
from parity.diagnose.probe import Defects, DiagnosisProbe, Probes
from parity.diagnose.probe_programs import ProbePrograms
from parity.diagnose.shrink import depends_on_operation, reruns_freed_graph
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import QUIRKS, contradicting, with_quirks
from parity.engines.runner import AnyEngine, as_runner
from parity.language import program as pr
from parity.oracle.compare import compare
from parity.oracle.exactness import is_exact
from parity.oracle.finding import Finding
from parity.oracle.probes import Probe
from parity.oracle.tolerance import Tolerance

#: Probes of a diagnosis, including the reduced program.
PROBES = 40
#: Of these, at most so many that distinguish defects which agree on the reduced program, and at
#: most so many on which the engine is right.
_DISTINGUISHING, _RIGHT = 20, 8
#: Probes on which a defect differs before it is ignored in the choice of further ones.
_PATIENCE = 3


def diagnose(
    program: pr.Program,
    finding: Finding,
    engine: AnyEngine,
    reference: Engine,
    defects: Mapping[str, type[Defect]] = DEFECTS,
) -> Diagnosis:
    """Return which defects an engine behaves like.

    The program, on which the engine is wrong, should be reduced.
    """
    with fuzzing_runtime():
        known = _steady(defects)
        diagnosis = _compared(program, finding.kind, engine, reference, known)
        if diagnosis.matches:
            return diagnosis
        operation = _wrong_operation(program, finding, engine, reference)
        texts = WRONG_OPERATION | (WRONG_GRADIENT if finding.what == "grad" else {})
        sentence = texts[finding.kind].format(operation) if operation else ""
        quirks = _explaining_quirks(program, engine, reference)
        return replace(diagnosis, operation=operation, wrong_operation=sentence, quirks=quirks)


def _steady(defects: Mapping[str, type[Defect]]) -> Defects:
    """Return the defects whose results are the same each time, which a comparison needs."""
    return tuple(defect for defect in defects.values() if not defect.flaky)


def _explaining_quirks(
    program: pr.Program, engine: AnyEngine, reference: Engine
) -> tuple[str, ...]:
    """Return the quirks that, added to those of the engine, explain the difference."""
    ours = as_runner(engine).run(program)

    def explain(quirks: frozenset[str]) -> bool:
        theirs = execute(program, with_quirks(reference, quirks))
        return compare(program, ours, theirs, tolerance=Tolerance(program, quirks=quirks)) is None

    if explain(engine.quirks):
        return ()
    extended = {name: engine.quirks | {name} for name in QUIRKS if name not in engine.quirks}
    return tuple(
        name for name, quirks in extended.items() if not contradicting(quirks) and explain(quirks)
    )


def _compared(
    program: pr.Program, kind: str, engine: AnyEngine, reference: Engine, defects: Defects
) -> Diagnosis:
    shared = ProbePrograms(engine)
    unsupported = shared.unsupported(program)
    if unsupported:
        return Diagnosis(unsupported=unsupported)
    first = DiagnosisProbe.of(program, engine, reference)
    if compare(program, first.engine, first.reference, tolerance=first.tolerance) is None:
        return Diagnosis()  # rounding explains it, so every defect without an effect would agree
    programs = shared.near(program)
    if not reruns_freed_graph(program):  # correct engines differ on such programs
        programs = itertools.filterfalse(reruns_freed_graph, programs)
    if first.tolerance.exact:  # rounding would hide differences between defects
        programs = filter(is_exact, programs)
    probes = [DiagnosisProbe.of(p, engine, reference) for p in programs]
    if first.reference.failure is None:
        probes = [probe for probe in probes if probe.reference.failure is None]
    chosen = _choose(first, probes, kind, defects)
    return _verdict(chosen, defects, engine, reference)


def _wrong_operation(
    program: pr.Program, finding: Finding, engine: AnyEngine, reference: Engine
) -> str:
    """Return the operation that is wrong by itself, or "".

    The program must consist of one operation on different leaves and, where a gradient is wrong,
    a plain backward from its result, and most other operations must not show the finding.
    """
    if finding.kind not in WRONG_OPERATION or not program.statements:
        return ""
    applied, *after = program.statements
    if not isinstance(applied, pr.Apply) or len(set(applied.inputs)) < len(applied.inputs):
        return ""
    for event in after:
        root = len(program.leaves)
        if not isinstance(event, pr.Backward) or event != pr.Backward(root, event.gradient):
            return ""
    if len(after) > 1 or not depends_on_operation(0, program, finding, engine, reference):
        return ""
    return applied.op


def diagnose_probe(
    probe: Probe,
    finding: Finding,
    engine: AnyEngine,
    reference: Engine,
    defects: Mapping[str, type[Defect]] = DEFECTS,
) -> Diagnosis:
    """Return which defects an engine behaves like, for a finding of ``parity.oracle.probes``.

    A defect must fail the probe in the same way and agree on generated programs. Deep chains take
    long, so that the probe runs only on defects that name it, or on all if generated
    programs show the fault too.
    """
    engine = as_runner(engine).renewed()  # the probe may have left the engine in a bad state
    with fuzzing_runtime():
        programs = itertools.islice(ProbePrograms(engine).generated(probe.name), PROBES - 1)
        generated = [DiagnosisProbe.of(program, engine, reference) for program in programs]
        generated = [one for one in generated if one.reference.failure is None]
        # An engine with further faults is compared on the programs on which it is right.
        right = [one for one in generated if one.finding is None]
        known = _steady(defects)
        matches = _matches_of_probe(probe, finding, generated, known)
        return Diagnosis(matches or _matches_of_probe(probe, finding, right, known))


def _matches_of_probe(
    probe: Probe, finding: Finding, generated: Probes, defects: Defects
) -> tuple[Agreement, ...]:
    """Return the defects that agree on all programs and fail the probe in the same way."""
    visible = any(one.finding is not None for one in generated)
    count = len(generated) + 1
    return tuple(
        Agreement(defect.name, defect.description, count, count)
        for defect in defects
        if (visible or defect.probe == probe.name)
        and all(one.agrees(defect) for one in generated)
        and _fails_alike(probe, finding, defect)
    )


def _fails_alike(probe: Probe, finding: Finding, defect: type[Defect]) -> bool:
    other = probe.first(defect())
    if other is None or other.statement != finding.statement:
        return False
    if other.statement:  # a step with a number of its own identifies the fault
        return True
    if other.kind != finding.kind:
        return False
    results = (finding.engine, other.engine)
    return any(isinstance(a, str) for a in results) or np.array_equal(*results)


def _choose(first: DiagnosisProbe, probes: Probes, kind: str, defects: Defects) -> Probes:
    """Choose the probes: the program itself, distinguishing ones, failing ones, and some others."""

    def rank(probe: DiagnosisProbe) -> tuple[bool, bool]:
        """Sort exact programs first, then those with the same kind of finding."""
        return not probe.tolerance.exact, probe.finding is None or probe.finding.kind != kind

    failing = sorted((probe for probe in probes if probe.finding is not None), key=rank)
    right = [probe for probe in probes if probe.finding is None]
    candidates = [d for d in defects if first.agrees(d)]
    chosen = [first, *_distinguishing([*failing, *right], candidates)]
    for pool, most in ((failing, PROBES - _RIGHT), (right, PROBES)):
        wrong = sum(probe.finding is not None for probe in chosen)
        room = most - len(chosen) if pool is failing else min(most - len(chosen), wrong)
        taken = {id(probe) for probe in chosen}
        chosen += [probe for probe in pool if id(probe) not in taken][: max(room, 0)]
    return chosen


def _distinguishing(probes: Probes, candidates: Defects) -> Iterator[DiagnosisProbe]:
    """Yield up to ``_DISTINGUISHING`` probes on which one of the candidates does not agree."""
    patience = dict.fromkeys(candidates, _PATIENCE)
    found = 0
    for probe in probes:
        differing = [d for d in patience if patience[d] and not probe.agrees(d)]
        for defect in differing:
            patience[defect] -= 1
        if differing:
            yield probe
            found += 1
        if found == _DISTINGUISHING or not any(patience.values()):
            return


def _verdict(probes: Probes, defects: Defects, engine: AnyEngine, reference: Engine) -> Diagnosis:
    """Name defects that agree on all probes, alone, combined or masked; else the nearest."""
    failing = [probe for probe in probes if probe.finding is not None]
    if not failing:
        return Diagnosis()
    full: Defects = [d for d in defects if all(probe.agrees(d) for probe in probes)]
    full = full or find_combination(probes, defects)
    if full:
        return Diagnosis(tuple(_agreement(d, probes) for d in full))
    found = find_masked(probes, defects, engine, reference)
    if found is not None:
        defect, agreeing = found
        left_out = len(probes) - len(agreeing)
        return Diagnosis((replace(_agreement(defect, agreeing), other_faults=left_out),))
    best = max(
        defects,
        key=lambda d: (sum(probe.agrees(d) for probe in failing), _agreement(d, probes).agrees),
        default=None,
    )
    if best is None or not any(probe.agrees(best) for probe in failing):
        return Diagnosis()
    return Diagnosis(nearest=_agreement(best, probes))


def _agreement(defect: type[Defect], probes: Probes) -> Agreement:
    agrees = sum(probe.agrees(defect) for probe in probes)
    return Agreement(defect.name, defect.description, agrees, len(probes))
