"""Causes of the cells of one operation that fail: groups, their conditions, their witnesses.

Failing cells are grouped by what differs: the value, the gradient or the second derivative, and
whether that is a finite number, nan, infinite, missing, of another shape or dtype, or an exception
at some place. Each group gets the simplest condition that holds in its cells and in no cell that is
right. Groups are merged where that makes the description simpler.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.diagnose.causes import Category, Cause, category_of
from parity.diagnose.cells import CellResult, Outcome
from parity.diagnose.conditions import BY_NAME, rank, words
from parity.diagnose.repairs import repair_of
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import QUIRKS, contradicting, with_quirks
from parity.engines.runner import Runner
from parity.language import program as pr
from parity.language.shapes import size
from parity.oracle.check import check_program
from parity.oracle.compare import compare
from parity.oracle.finding import Finding, Kind
from parity.oracle.tolerance import Tolerance

#: What an operation computes, in the order in which it is computed.
VALUE, GRADIENT, SECOND = "value", "gradient", "second derivative"
_ORDER = (VALUE, GRADIENT, SECOND)
#: What an operation does that raises nothing, by the kind of the finding.
_STOPS: dict[str, str] = {
    Kind.CRASH: "ends the process",
    Kind.TIME: "does not come to an end",
    Kind.MEMORY: "runs out of memory",
}


@dataclass(frozen=True)
class Symptom:
    """What differs in a cell: of what, and in which way."""

    of: str
    way: str

    @property
    def raises(self) -> bool:
        return self.way.startswith("raises")

    @property
    def stage(self) -> int:
        return _ORDER.index(self.of)


def symptom_of(result: CellResult) -> Symptom:
    """Return what differs in a failing cell."""
    finding = result.finding
    assert finding is not None
    statements = result.cell.program.statements
    if finding.statement >= len(statements) and finding.what != "exception":
        return Symptom(VALUE if finding.what == "value" else GRADIENT, "changes")
    number = min(max(finding.statement, 0), len(statements) - 1)
    seen = sum(isinstance(s, pr.Backward) for s in statements[: number + 1])
    of = _ORDER[seen] if isinstance(statements[number], (pr.Apply, pr.Backward)) else SECOND
    if finding.what == "exception":
        return Symptom(of, f"raises {finding.place or finding.observed}")
    return Symptom(of, _way(finding))


def _way(finding: Finding) -> str:
    if finding.kind in (Kind.SHAPE, Kind.DTYPE):
        return str(finding.kind)
    if finding.engine is None:
        return "none"
    if finding.reference is None:
        return "spurious"
    array = np.asarray(finding.engine)
    return "nan" if np.isnan(array).any() else "inf" if np.isinf(array).any() else "finite"


@dataclass(frozen=True)
class Fit:
    """Conditions that hold together in failing cells, and how well they describe these."""

    names: tuple[str, ...]
    cost: float


#: Costs of descriptions: none needed; a condition; nearly always; a condition, nearly; two
#: conditions; two, nearly; what no description fits.
_NONE, _ONE, _MOSTLY, _ONE_MOSTLY, _TWO, _TWO_MOSTLY, _POOR = 0.0, 1.0, 1.5, 2.0, 2.2, 3.0, 5.0
_SLIGHTLY = 0.01
#: How much a cell counts in which a formula has little to do.
_WEAK = 0.3


class _Cells:
    """Right cells, as bits of numbers: what conditions exclude.

    Where nothing is computed a wrong formula is right as well; so it often is where it has little
    to do, as on one element. Such cells say nothing, or less.
    """

    def __init__(self, right: Sequence[CellResult]) -> None:
        self.right = sorted((r for r in right if _tells(r)), key=_is_weak)
        self.strong = (1 << sum(not _is_weak(r) for r in self.right)) - 1
        self.masks: dict[str, int] = Counter(dict.fromkeys(BY_NAME, 0))
        for i, r in enumerate(self.right):
            for name in r.cell.conditions:
                self.masks[name] += 1 << i
        self.all = (1 << len(self.right)) - 1

    def fit(self, failing: Sequence[CellResult]) -> Fit:
        """Return the simplest conditions that hold in these cells and in few that are right."""
        common = frozenset.intersection(*(r.cell.conditions for r in failing))
        singles = sorted(common, key=lambda name: (rank(name), name))
        best = Fit((), self._cost((), len(failing)))
        for name in singles:
            best = min(best, Fit((name,), self._cost((name,), len(failing))), key=_by_cost)
        if best.cost <= _ONE:
            return best
        for pair in itertools.combinations(singles, 2):
            best = min(best, Fit(pair, self._cost(pair, len(failing))), key=_by_cost)
        return best

    def _cost(self, names: tuple[str, ...], failing: int) -> float:
        mask = self.all
        for name in names:
            mask &= self.masks[name]
        strong, every = (mask & self.strong).bit_count(), mask.bit_count()
        wrongly = (strong + _WEAK * (every - strong)) / failing
        exact, mostly, allowed = (
            (_NONE, _MOSTLY, 0.15), (_ONE, _ONE_MOSTLY, 0.05), (_TWO, _TWO_MOSTLY, 0.05)
        )[len(names)]  # fmt: skip
        if wrongly == 0 or (strong == 0 and wrongly <= _WEAK):
            return exact + (wrongly > 0) / 2
        if wrongly <= allowed:
            return mostly
        return _POOR + wrongly / (1 + wrongly) + 0.1 * len(names)


def _by_cost(fit: Fit) -> float:
    return fit.cost


def _is_weak(result: CellResult) -> bool:
    """Return whether a formula has little to do: on axes of length 1, or on equal numbers."""
    program = result.cell.program
    numbers = {v for leaf in program.leaves for v in leaf.values}
    return len(numbers) == 1 or any(1 in leaf.shape or not leaf.shape for leaf in program.leaves)


def _tells(result: CellResult) -> bool:
    """Return whether a right cell says that a formula is right: not where nothing is computed."""
    program = result.cell.program
    if any(not leaf.values for leaf in program.leaves):
        return False
    return any(v not in (0.0, 1.0) for leaf in program.leaves for v in leaf.values)


@dataclass(eq=False)
class _Group:
    """Failing cells with one cause."""

    results: list[CellResult]
    fit: Fit

    @cached_property
    def symptom(self) -> Symptom:
        """The most frequent symptom; one that is not seen at once before exceptions."""
        counts = Counter(map(symptom_of, self.results)).most_common()
        return min(counts, key=lambda each: each[0].raises)[0]

    @property
    def size(self) -> int:
        return len(self.results)

    @property
    def op(self) -> str:
        return self.results[0].cell.op

    @property
    def second(self) -> bool:
        """Whether it shows only where gradients are differentiated again."""
        return all("second" in r.cell.conditions for r in self.results)

    def covers(self, other: _Group) -> bool:
        return all(set(self.fit.names) <= r.cell.conditions for r in other.results)


def causes_of(
    of_op: Mapping[str, Sequence[CellResult]], engine: Runner, reference: Engine
) -> list[Cause]:
    """Return the causes of the failing cells, from the results of each operation."""
    groups = [group for results in of_op.values() for group in _groups(results)]
    return [_cause(group, engine, reference) for group in _shared(groups, of_op)]


#: The name of the cause of several operations.
SEVERAL_NAME = "several operations"
#: Conditions that have nothing to do with what an operation computes.
OF_ALL = frozenset(
    (
        *("negative-axis", "no-axis", "keepdims", "no-keepdims", "axis-tuple", "several-axes"),
        *("broadcast", "first-broadcast", "second-broadcast", "axis-broadcast", "axis-added"),
        *("0-d", "all-0-d", "0-d-result", "empty", "constant", "first-constant", "later-constant"),
        *("float32", "float64", "mixed", "second"),
    )
)
#: So many operations that are wrong in the same way have one cause.
_SEVERAL = 3


def _shared(groups: list[_Group], of_op: Mapping[str, Sequence[CellResult]]) -> Iterator[_Group]:
    """Yield the groups, as one where several operations are wrong in the same way.

    Second derivatives run through other operations: if one of these is wrong itself, they are its
    consequence.
    """
    wrong = {g.op for g in groups if not g.second and not g.symptom.raises}
    alike: dict[Any, list[_Group]] = {}
    for group in groups:
        if not (group.second and used_by(group.op) & wrong):
            key = "second" if group.second else (group.symptom, group.fit.names)
            alike.setdefault(key, []).append(group)
    several, others = [], []
    for some in alike.values():
        if len({g.op for g in some}) >= _SEVERAL and _has_one_cause(some, len(of_op)):
            several.append(_Group([r for g in some for r in g.results], some[0].fit))
        else:
            others += some
    for group in others:
        united = next((g for g in several if g.symptom == group.symptom and g.covers(group)), None)
        if united is None:
            yield group
        else:
            united.results += group.results
    yield from several


#: Operations that the derivatives of all operations may use, and those of certain ones.
_USED = frozenset(("add", "mul", "neg", "sub", "sum", "sum_to", "broadcast_to", "reshape"))
_USED_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("log", "sqrt", "norm", "pow", "power", "rdiv_scalar"), ("div", "pow", "square")
    ),
    **dict.fromkeys(("logsumexp", "softmax", "log_softmax", "softplus", "sigmoid"), ("exp", "div")),
    "power": ("log", "pow", "div"),
    "sin": ("cos",),
    "cos": ("sin",),
    "div": ("square", "pow"),
    "tanh": ("square", "pow"),
    "mean_squared_error": ("square", "mean"),
    "matmul": ("transpose",),
}


def used_by(op: str) -> frozenset[str]:
    """Return operations that derivatives of an operation may be computed with."""
    return (_USED | frozenset(_USED_BY.get(op, ()))) - {op}


def _has_one_cause(groups: Sequence[_Group], operations: int) -> bool:
    """Return whether operations that are alike wrong hardly are so by several faults."""
    first = groups[0]
    every = 5 * len(groups) >= 4 * operations
    place = first.symptom.raises and "(" in first.symptom.way
    return every or place or bool(set(first.fit.names) & OF_ALL)


def _groups(results: Sequence[CellResult]) -> list[_Group]:
    of_symptom: dict[Symptom, list[CellResult]] = {}
    for result in results:
        if result.fails:
            of_symptom.setdefault(symptom_of(result), []).append(result)
    if not of_symptom:
        return []
    cells = _Cells([r for r in results if r.outcome is Outcome.RIGHT])
    groups = [_Group(some, cells.fit(some)) for some in of_symptom.values()]
    while merged := _merged(groups, cells):
        groups = merged
    return [part for group in groups for part in _split(group, cells)]


def _merged(groups: list[_Group], cells: _Cells) -> list[_Group] | None:
    """Return the groups with the two merged that describe best as one; None if none do."""
    found: list[tuple[float, _Group, _Group, _Group]] = []
    for a, b in itertools.combinations(sorted(groups, key=lambda g: -g.size), 2):
        union = _union(a, b, cells)
        if union is not None:
            found.append((union.fit.cost - a.fit.cost - b.fit.cost, union, a, b))
    if not found:
        return None
    _, union, a, b = min(found, key=lambda each: each[0])
    return [g for g in groups if g is not a and g is not b] + [union]


def _union(large: _Group, small: _Group, cells: _Cells) -> _Group | None:
    """Return both groups as one, if one fault is the simpler description."""
    one, other = large.symptom, small.symptom
    if other.stage < one.stage or (other.stage > one.stage and large.size < 2 * small.size):
        return None  # what is computed first shows first, where both are wrong
    raises = one.raises != other.raises
    # One that raises nearly everywhere is wrong where it does not; one that is wrong and raises
    # somewhere may have two faults.
    if (one.raises or not raises) and large.fit.cost < _POOR and large.covers(small):
        return _Group(large.results + small.results, large.fit)
    union = _Group(large.results + small.results, cells.fit(large.results + small.results))
    costs = large.fit.cost, small.fit.cost
    if not raises:
        return union if union.fit.cost <= max(costs) else None
    same = large.fit.names == small.fit.names == union.fit.names != ()
    best = min(costs) + (same or min(costs) > _ONE) * _SLIGHTLY
    return union if union.fit.cost < best else None


def _split(group: _Group, cells: _Cells) -> list[_Group]:
    """Return the groups of two conditions that cover the cells, if one alone does not."""
    if group.fit.cost < _POOR:
        return [group]
    exact = [name for name, mask in cells.masks.items() if not mask]
    of_name = {n: [r for r in group.results if n in r.cell.conditions] for n in exact}
    for a, b in itertools.combinations(exact, 2):
        first, rest = of_name[a], [r for r in group.results if a not in r.cell.conditions]
        if first and rest and all(b in r.cell.conditions for r in rest):
            return [_Group(first, Fit((a,), _ONE)), _Group(rest, Fit((b,), _ONE))]
    return [group]


# A cause in words.

#: What is said of an operation, by what is wrong and in which way.
_SENTENCES: dict[tuple[str, str], str] = {
    (VALUE, "shape"): "the result of {} has the wrong shape",
    (VALUE, "dtype"): "the result of {} has the wrong dtype",
    (VALUE, "nan"): "the value of {} is nan",
    (VALUE, "inf"): "the value of {} is infinite",
    (VALUE, "changes"): "an operand of {} changes",
    (GRADIENT, "shape"): "the gradient of {} has the wrong shape",
    (GRADIENT, "dtype"): "the gradient of {} has the wrong dtype",
    (GRADIENT, "nan"): "the gradient of {} is nan",
    (GRADIENT, "inf"): "the gradient of {} is infinite",
    (GRADIENT, "none"): "there is no gradient of {}",
    (GRADIENT, "spurious"): "a constant gets a gradient from {}",
    (GRADIENT, "changes"): "the backward of {} changes the array that was passed to it",
}


def _sentence(subject: str, symptom: Symptom, where: str) -> str:
    if symptom.raises:
        error = symptom.way.removeprefix("raises ").partition(" (")[0]
        verb = _STOPS.get(error, f"raises {error}")
        text = f"the {symptom.of} of {{}} {verb}"
        text = f"{{}} {verb}" if symptom.of == VALUE and " and " not in subject else text
    else:
        default = f"the {symptom.of} of {{}} is wrong"
        text = _SENTENCES.get((symptom.of, symptom.way), default)
    return f"{text.format(subject)} {where}".rstrip()


def _named(ops: Sequence[str]) -> str:
    """Return the names of operations, of many the first ones."""
    names = [f"`{op}`" for op in ops[:_SEVERAL]]
    if len(ops) > _SEVERAL:
        names.append(f"{len(ops) - _SEVERAL} more")
    return " and ".join(([", ".join(names[:-1])] if names[1:] else []) + names[-1:])


def _cause(group: _Group, engine: Runner, reference: Engine) -> Cause:
    symptom = group.symptom
    alike = [r for r in group.results if symptom_of(r) == symptom]
    witness = min(alike, key=_ordinary)
    finding = witness.finding
    assert finding is not None
    of_second = {"second": "create-graph"} if symptom.of == GRADIENT else {}
    fitting = tuple(of_second.get(n, n) for n in group.fit.names)
    # What the sentence says itself is left out.
    spurious = symptom == Symptom(GRADIENT, "spurious")
    said = {"constant", "first-constant"} if spurious else {"second"}
    names = tuple(n for n in fitting if n not in said)
    ops = list(dict.fromkeys(r.cell.op for r in group.results))
    name, where = ops[0] if len(ops) == 1 else SEVERAL_NAME, words(names)
    quirk = next(_explaining_quirks(group.results, witness, engine, reference), "")
    code, mend = repair_of(group.fit.names, symptom.of, symptom.way)
    return Cause(
        _category(symptom, finding, quirk),
        name,
        _sentence(_named(ops), symptom, where),
        words(fitting),
        *_shown(witness.cell.program, finding, engine, reference),
        quirk,
        code,
        mend,
        ops=frozenset(ops),
    )


def _shown(
    program: pr.Program, finding: Finding, engine: Runner, reference: Engine
) -> tuple[pr.Program, Finding]:
    """Return a program up to where the engine stops, if it does, with the full time limit."""
    if not finding.stopped:
        return program, finding
    program = replace(program, statements=program.statements[: finding.statement + 1])
    with engine.impatient(False):
        again = check_program(program, engine, reference)
    return program, again if again is not None and again.kind == finding.kind else finding


def _category(symptom: Symptom, finding: Finding, quirk: str) -> Category:
    if quirk:
        return Category.CONVENTION
    return Category.VALUE if symptom == Symptom(VALUE, "changes") else category_of(finding)


def _ordinary(result: CellResult) -> tuple[Any, ...]:
    """Return how far a program is from the simplest ordinary one."""
    program = result.cell.program
    values = [v for leaf in program.leaves for v in leaf.values]
    return (
        not all(size(info.shape) for info in program.infos),
        any(leaf.dtype != "float64" for leaf in program.leaves),
        not all(leaf.requires_grad for leaf in program.leaves),
        any(v in (0.0, 1.0) for v in values),
        any(1 in leaf.shape for leaf in program.leaves),
        len(program.statements),
        len(program.leaves),
        len(values),
        sum(len(leaf.shape) for leaf in program.leaves),
    )


def _explaining_quirks(
    results: Sequence[CellResult], witness: CellResult, engine: Runner, reference: Engine
) -> Iterator[str]:
    """Yield quirks that, added to those of the engine, explain all these cells."""
    for name, quirk in QUIRKS.items():
        quirks = engine.quirks | {name}
        if name in engine.quirks or contradicting(quirks) or quirk.without & engine.abilities:
            continue
        right, bitwise = with_quirks(reference, quirks), engine.bitwise and reference.bitwise
        if all(_explains(right, r, bitwise) for r in (witness, *results)):
            yield name


def _explains(right: Engine, result: CellResult, bitwise: bool) -> bool:
    assert result.trace is not None
    program = result.cell.program
    tolerance = _Roundoff(program, bitwise)
    return compare(program, result.trace, execute(program, right), tolerance=tolerance) is None


class _Roundoff(Tolerance):
    """Bounds without samples: a quirk changes more than a rounding does."""

    def _sampled(self, index: int, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.zeros(shape)
