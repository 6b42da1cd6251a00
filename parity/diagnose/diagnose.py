"""Which known defect an engine behaves like.

The reduced program of a finding and about 40 probe programs run on the engine and on
every engine of ``parity.diagnose.defects``. A defect that shows what the engine shows on all
of them, wrong numbers and exceptions included, is named. The probes are variations of
the program and generated ones, with what the engine and the defects have in
common; those that tell defects apart come first, and probes on which the engine
is right are the minority. Nothing is drawn at random: the same finding gives the
same diagnosis.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity._util.process import fuzzing_runtime
from parity.diagnose.combinations import find_combination
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.masked import MaskedDefects
from parity.diagnose.neighbours import NeighbourLimits, neighbours
from parity.diagnose.shrink import depends_on_operation, reruns_freed_graph
from parity.diagnose.traversals import other_traversals
from parity.engines.base import CONSTANTS, Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import QUIRKS, contradicting, with_quirks
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.trace import STOPPED, Trace
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language import program as pr
from parity.language.json_format import dumps
from parity.oracle.compare import compare
from parity.oracle.exactness import is_exact
from parity.oracle.finding import Finding
from parity.oracle.probes import Probe
from parity.oracle.tolerance import Tolerance

#: Probes in a diagnosis, the reduced program included.
PROBES = 40
#: Of these, at most so many for telling apart what agrees on the reduced program, and
#: at most so many on which the engine is right.
_TELLING, _RIGHT = 20, 8
#: Variations that are tried, variations and generated programs that are kept.
_ATTEMPTS, _NEAR, _GENERATED = 400, 120, 60
#: Probes on which a defect differs before it is no longer followed.
_PATIENCE = 3
_PROFILES = (
    *("general", "gradients", "accumulation", "clearing", "aliasing", "broadcasting"),
    *("dtypes", "multi-output", "modes", "functions", "second-order"),
)


#: What is said of an operation that is wrong by itself, by the kind of the finding.
_BY_ITSELF = {
    "gradient": "the gradient of `{}` itself is wrong",
    "value": "the value of `{}` itself is wrong",
    "shape": "the shape of `{}` itself is wrong",
    "dtype": "the dtype of `{}` itself is wrong",
    "exception": "`{}` itself raises",
}
#: The same where it is a gradient that has the finding.
_GRADIENT_BY_ITSELF = {
    "shape": "the shape of the gradient of `{}` itself is wrong",
    "dtype": "the dtype of the gradient of `{}` itself is wrong",
}


@dataclass(frozen=True)
class Agreement:
    """On how many probes a defect shows what the engine shows.

    ``beside``: probes that were left out, as they show other faults (``parity.diagnose.masked``).
    """

    defect: str
    description: str
    agrees: int
    of: int
    beside: int = 0

    def __str__(self) -> str:
        text = f"`{self.defect}`: {self.description}; {self.agrees} of {self.of} probes"
        return f"{text}; other faults show in {self.beside} more" if self.beside else text


@dataclass(frozen=True)
class Diagnosis:
    """The defects that cannot be told from the engine; where there are none, the nearest.

    ``lacks``: what the program uses and the engines of the defects do not have.
    ``operation``: where no defect agrees, the one that is wrong by itself, or "";
    ``by_itself``: what of it is wrong, in words. ``quirks``: where no defect agrees, those
    that would make the program right.
    """

    matches: tuple[Agreement, ...] = ()
    nearest: Agreement | None = None
    lacks: tuple[str, ...] = ()
    operation: str = ""
    by_itself: str = ""
    quirks: tuple[str, ...] = ()

    def to_json(self) -> list[dict[str, Any]]:
        """The list of the contract (``parity check --json``): empty if no defect agrees fully."""
        return [
            {"defect": m.defect, "agrees": m.agrees, "of": m.of, "says": m.description}
            for m in self.matches
        ]

    def text(self) -> str:
        """The diagnosis as a person reads it, a line a defect."""
        if self.matches:
            first, *others = (str(match) for match in self.matches)
            lines = [f"behaves like {first}", *(f"or like {other}" for other in others)]
            note = "; these cannot be told apart here" if others else ""
            return "\n".join(lines) + note
        text = self._without_matches()
        if self.operation:
            text = f"{self.by_itself}; {text}"
        meant = (
            f"if that is meant, it is the quirk `{q}`: {QUIRKS[q].description}" for q in self.quirks
        )
        return "\n".join([text, *meant])

    def _without_matches(self) -> str:
        if self.lacks:
            return f"no known defect; none was tried, as they have no {', '.join(self.lacks)}"
        near = self.nearest
        if near is None or 2 * near.agrees < near.of:  # that near, some defect always is
            return "no known defect"
        return f"no known defect; nearest: `{near.defect}`, {near.agrees} of {near.of} probes"


class Near(Tolerance):
    """How far two engines with the same defect may differ.

    What is wrong need not be exact where the right result is, so a few roundings are
    allowed in exact programs as well.
    """

    strict = False

    @cached_property
    def exact(self) -> bool:
        return is_exact(self.program)

    def _sampled(self, place: int, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.zeros(shape) if self.exact else super()._sampled(place, shape)


@dataclass
class _Case:
    """A probe program with what both sides showed, and the finding if the engine is wrong."""

    program: pr.Program
    engine: Trace
    reference: Trace
    finding: Finding | None
    tolerance: Near
    #: Whether a defect shows the same, by name.
    known: dict[str, bool] = field(default_factory=dict)

    @staticmethod
    def of(program: pr.Program, engine: AnyEngine, reference: Engine) -> _Case:
        quirks, bitwise = engine.quirks, engine.bitwise and reference.bitwise
        mine = as_runner(engine).run(program)
        right = execute(program, with_quirks(reference, quirks))
        finding = compare(program, mine, right, tolerance=Tolerance(program, bitwise, quirks))
        return _Case(program, mine, right, finding, Near(program, quirks=quirks))

    @property
    def refused(self) -> bool:
        """Whether the reference raised."""
        return self.reference.failure is not None

    def only_bits(self) -> bool:
        """Whether the engine is as near to the reference as a right one may be."""
        return compare(self.program, self.engine, self.reference, tolerance=self.tolerance) is None

    def agrees(self, defect: type[Defect]) -> bool:
        """Whether ``defect`` shows the same, in one of its forms or orders (``traversals``)."""
        if defect.name not in self.known:
            orders = other_traversals(defect) if self.branches else ()  # type: ignore[arg-type]
            forms = vars(defect).get("forms", ())  # its own: several defects together have none
            self.known[defect.name] = any(map(self._agrees, (defect, *orders, *forms)))
        return self.known[defect.name]

    @cached_property
    def branches(self) -> bool:
        """Whether nodes can run in several orders: some operation has two operands."""
        return any(isinstance(s, pr.Apply) and len(s.inputs) > 1 for s in self.program.statements)

    def _agrees(self, defect: type[Defect]) -> bool:
        # A new engine, as it may keep a state.
        trace = execute(self.program, with_quirks(defect(), self.tolerance.quirks))
        if _fate(trace) != _fate(self.engine):
            return False
        return compare(self.program, self.engine, trace, tolerance=self.tolerance) is None


def _fate(trace: Trace) -> str:
    """How a run ended, beyond what a program can ask for."""
    kind = trace.failure.kind if trace.failure else ""
    return kind if kind in STOPPED or kind == "depth" else ""


def diagnose(
    program: pr.Program,
    finding: Finding,
    engine: AnyEngine,
    reference: Engine,
    defects: Mapping[str, type[Defect]] = DEFECTS,
) -> Diagnosis:
    """What ``engine`` behaves like, given a reduced program on which it is wrong."""
    with fuzzing_runtime():
        diagnosis = _compared(program, finding, engine, reference, defects)
        if diagnosis.matches:
            return diagnosis
        operation = _wrong_by_itself(program, finding, engine, reference)
        words = _by_itself(finding, operation) if operation else ""
        quirks = _explaining(program, engine, reference)
        return replace(diagnosis, operation=operation, by_itself=words, quirks=quirks)


def _explaining(program: pr.Program, engine: AnyEngine, reference: Engine) -> tuple[str, ...]:
    """The quirks, each beside those of the engine, with which the program shows no difference."""
    mine = as_runner(engine).run(program)

    def explains(quirks: frozenset[str]) -> bool:
        other = execute(program, with_quirks(reference, quirks))
        return compare(program, mine, other, tolerance=Tolerance(program, quirks=quirks)) is None

    if explains(engine.quirks):
        return ()
    beside = {name: engine.quirks | {name} for name in QUIRKS if name not in engine.quirks}
    return tuple(n for n, all_ in beside.items() if not contradicting(all_) and explains(all_))


def _compared(
    program: pr.Program,
    finding: Finding,
    engine: AnyEngine,
    reference: Engine,
    defects: Mapping[str, type[Defect]],
) -> Diagnosis:
    common = _Common(engine)
    lacks = common.lacks(program)
    if lacks:
        return Diagnosis(lacks=lacks)
    first = _Case.of(program, engine, reference)
    if first.only_bits():  # so is every defect that does not show here
        return Diagnosis()
    programs = common.programs(program)
    if not reruns_freed_graph(program):  # engines differ there, right ones as well
        programs = itertools.filterfalse(reruns_freed_graph, programs)
    if first.tolerance.exact:  # equal is equal there; rounding would blur what is wrong
        programs = filter(is_exact, programs)
    cases = [_Case.of(p, engine, reference) for p in programs]
    cases = [case for case in cases if first.refused or not case.refused]
    chosen = _choose(first, cases, finding.kind, defects)
    return _verdict(chosen, defects, MaskedDefects(engine, reference))


def _wrong_by_itself(
    program: pr.Program, finding: Finding, engine: AnyEngine, reference: Engine
) -> str:
    """The operation that is wrong by itself, or "": nothing else is in the program.

    One operation on values of its own and, where gradients are wrong, one plain backward from
    its result; most other operations in its place do not show the finding.
    """
    if finding.kind not in _BY_ITSELF or not program.statements:
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


def _by_itself(finding: Finding, operation: str) -> str:
    """What of an operation is wrong, in words."""
    texts = _BY_ITSELF | (_GRADIENT_BY_ITSELF if finding.what == "grad" else {})
    return texts[finding.kind].format(operation)


def diagnose_probe(
    probe: Probe,
    finding: Finding,
    engine: AnyEngine,
    reference: Engine,
    defects: Mapping[str, type[Defect]] = DEFECTS,
) -> Diagnosis:
    """The same for a finding of a probe of ``parity.oracle.probes``.

    A defect must fail the probe in the same way, and agree on generated programs.
    Deep chains take long, so the probe runs only on defects that are known for it
    and those that the programs show.
    """
    engine = as_runner(engine).renewed()  # the probe may have left the old one in a bad state
    common = _Common(engine)
    with fuzzing_runtime():
        programs = itertools.islice(common.generated(probe.name), PROBES - 1)
        cases = [_Case.of(program, engine, reference) for program in programs]
        cases = [case for case in cases if not case.refused]
        # An engine with other faults as well is compared where it is right.
        right = [case for case in cases if case.finding is None]
        matches = _of_probe(probe, finding, cases, defects) or _of_probe(
            probe, finding, right, defects
        )
    return Diagnosis(matches)


def _of_probe(
    probe: Probe, finding: Finding, cases: list[_Case], defects: Mapping[str, type[Defect]]
) -> tuple[Agreement, ...]:
    """The defects that agree on all cases and fail the probe in the same way."""
    shown = any(case.finding is not None for case in cases)
    number = len(cases) + 1
    return tuple(
        Agreement(name, defect.description, number, number)
        for name, defect in defects.items()
        if (shown or defect.probe == probe.name)
        and all(case.agrees(defect) for case in cases)
        and _fails_alike(probe, finding, defect)
    )


def _fails_alike(probe: Probe, finding: Finding, defect: type[Defect]) -> bool:
    other = probe.first(defect())
    if other is None or other.statement != finding.statement:
        return False
    if other.statement:  # a step that is told apart says what failed, however it shows
        return True
    if other.kind != finding.kind:
        return False
    shown = (finding.engine, other.engine)
    return any(isinstance(a, str) for a in shown) or np.array_equal(*shown)


def _choose(
    first: _Case, cases: list[_Case], kind: str, defects: Mapping[str, type[Defect]]
) -> list[_Case]:
    """The probes: the program itself, what tells defects apart, what fails, some that do not."""
    failing = sorted(
        (case for case in cases if case.finding is not None), key=lambda c: _rank(c, kind)
    )
    right = [case for case in cases if case.finding is None]
    followed = [d for d in defects.values() if first.agrees(d)]
    chosen = [first, *_telling([*failing, *right], followed)]
    for pool, most in ((failing, PROBES - _RIGHT), (right, PROBES)):
        wrong = sum(case.finding is not None for case in chosen)
        room = most - len(chosen) if pool is failing else min(most - len(chosen), wrong)
        taken = {id(case) for case in chosen}
        chosen += [case for case in pool if id(case) not in taken][: max(room, 0)]
    return chosen


def _rank(case: _Case, kind: str) -> tuple[bool, bool]:
    """Exact programs first, where equal is equal; then those with the same kind of finding."""
    assert case.finding is not None
    return not case.tolerance.exact, case.finding.kind != kind


def _telling(cases: list[_Case], followed: list[type[Defect]]) -> Iterator[_Case]:
    """Cases on which one of the defects that agreed so far does not; ``_TELLING`` at most."""
    patience = dict.fromkeys(followed, _PATIENCE)
    found = 0
    for case in cases:
        differing = [d for d in patience if patience[d] and not case.agrees(d)]
        for defect in differing:
            patience[defect] -= 1
        if differing:
            yield case
            found += 1
        if found == _TELLING or not any(patience.values()):
            return


def _verdict(
    cases: list[_Case], defects: Mapping[str, type[Defect]], beside: MaskedDefects
) -> Diagnosis:
    """Defects that agree on all cases, alone, together or beside other faults; else the nearest."""
    failing = [case for case in cases if case.finding is not None]
    if not failing:
        return Diagnosis()
    full = [d for d in defects.values() if all(case.agrees(d) for case in cases)]
    full = full or find_combination(cases, defects)
    if full:
        return Diagnosis(tuple(_agreement(d, cases) for d in full))
    found = beside.search(cases, defects)
    if found is not None:
        defect, agreeing = found
        left_out = len(cases) - len(agreeing)
        return Diagnosis((replace(_agreement(defect, agreeing), beside=left_out),))
    best = max(
        defects.values(),
        key=lambda d: (sum(case.agrees(d) for case in failing), _agreement(d, cases).agrees),
        default=None,
    )
    if best is None or not any(case.agrees(best) for case in failing):
        return Diagnosis()
    return Diagnosis(nearest=_agreement(best, cases))


def _agreement(defect: type[Defect], cases: list[_Case]) -> Agreement:
    agrees = sum(case.agrees(defect) for case in cases)
    return Agreement(defect.name, defect.description, agrees, len(cases))


class _Common:
    """What an engine and the base of the defects have in common."""

    def __init__(self, engine: AnyEngine) -> None:
        self.engine = as_runner(engine)
        self.base = TapeEngine()
        self.able = self.engine.capabilities & as_runner(self.base).capabilities
        self.ops = tuple(name for name in self.base.ops if name in engine.ops)
        self.dtypes = tuple(d for d in engine.dtypes if d in self.base.dtypes)

    def can_run(self, program: pr.Program) -> bool:
        """Whether both have what ``program`` asks for."""
        return self.engine.supports(program) and not self.lacks(program)

    def lacks(self, program: pr.Program) -> tuple[str, ...]:
        """What ``program`` uses and not both have."""
        used = {s.op for s in program.statements if isinstance(s, pr.Apply)}
        used |= {leaf.dtype for leaf in program.leaves} | _needs(program)
        return tuple(sorted(used - {*self.ops, *self.dtypes, *self.able}))

    def programs(self, program: pr.Program) -> Iterator[pr.Program]:
        """Variations of ``program``, then generated ones; none twice, without ``program``."""
        if not self.ops or not self.dtypes:
            return
        limit = 3 if self.engine.max_ndim is None else min(self.engine.max_ndim, 3)
        near = neighbours(program, NeighbourLimits(self.ops, limit, self.dtypes), _ATTEMPTS)
        yield from itertools.islice((p for p in near if self.can_run(p)), _NEAR)
        seed = zlib.crc32(dumps(program).encode())
        yield from itertools.islice(self.generated(seed), _GENERATED)

    def generated(self, seed: Any) -> Iterator[pr.Program]:
        """Programs of several profiles in turn."""
        streams: list[Iterator[pr.Program]] = []
        for name in _PROFILES if self.ops and self.dtypes else ():
            profile = PROFILES[name]
            ops = tuple(n for n in self.ops if profile.ops is None or n in profile.ops)
            decoder = Decoder.of(replace(profile, ops=ops or self.ops), self.engine)
            decoder = replace(decoder, dtypes=self.dtypes)
            streams.append(itertools.islice(sweep(decoder, f"diagnose:{seed}"), 100))
        return (p for p in _in_turn(streams) if self.can_run(p))


def _in_turn(streams: list[Iterator[pr.Program]]) -> Iterable[pr.Program]:
    return itertools.chain.from_iterable(zip(*streams, strict=False))


_STATEMENT_NEEDS: dict[type[Any], str] = {
    pr.Clear: "clear_grad",
    pr.Zero: "zero_grad",
    pr.ChangeGrad: "buffer",
    pr.TakeGrad: "grad_tensor",
    pr.Detach: "detach",
}


def _needs(program: pr.Program) -> set[str]:
    """The abilities that a program asks for."""
    needs = {_STATEMENT_NEEDS[type(s)] for s in program.statements if type(s) in _STATEMENT_NEEDS}
    if not all(leaf.requires_grad for leaf in program.leaves):
        needs.add(CONSTANTS)
    if any(getattr(s, "no_grad", False) for s in program.statements):
        needs.add("no_grad")
    if any(getattr(s, "create_graph", False) for s in program.statements):
        needs.add("grad_tensor")
    return needs
