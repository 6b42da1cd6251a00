"""The checks of values, first derivatives and second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from parity._util.escape import described
from parity.function.cases import Array
from parity.function.causes import CAUSES, Cause, Evidence, cause_of
from parity.function.judge import (
    Answer,
    differing,
    own_question,
    sampler,
    second_question,
    unless_convention,
    unlike_reference,
)
from parity.function.result import FunctionFinding
from parity.function.script import Difference, Shows, script
from parity.function.subject import Point, Seeds, Subject

#: At how many points second derivatives are judged.
_SECOND_POINTS = 4
#: What a function says that refuses second derivatives.
_REFUSALS = ("once_differentiable", "not implemented", "not differentiable")


@dataclass
class Record:
    """First derivatives at one point, for one kind of upstream gradient.

    ``answers``: what is wrong, by the number of the input.
    """

    point: Point
    kind: str
    seeds: Seeds
    gradients: list[Array | None]
    answers: dict[int, Answer] = field(default_factory=dict)

    @property
    def starts(self) -> tuple[Array, ...]:
        pairs = zip(self.seeds, self.point.shapes, strict=True)
        return tuple(np.zeros(shape) if s is None else s for s, shape in pairs)


def finding(
    subject: Subject,
    check: str,
    says: str,
    point: Point,
    seeds: Sequence[Array],
    expected: Any,
    actual: Any,
    cause: Cause,
    note: str = "",
    shows: Shows | None = None,
) -> FunctionFinding:
    """Return a finding with its script, which runs ``shows``."""
    shows = shows or Shows()
    text = script(subject.f, subject.framework, says, point.arrays, tuple(seeds), shows)
    return FunctionFinding(
        check,
        says,
        point.arrays,
        tuple(seeds),
        expected,
        actual,
        note,
        cause.text,
        cause.mend,
        text,
    )


def check_values(subject: Subject) -> Iterator[FunctionFinding]:
    """Compare values with the reference; the first difference is a finding."""
    reference, framework = subject.reference, subject.wide
    if reference is None:
        return
    for point in subject.points:
        expected = framework.values(reference, point.arrays)
        sample = sampler(
            framework,
            lambda xs, vs: framework.values(reference, xs),
            point.arrays,
            (),
            subject.unit,
        )
        if len(expected) != len(point.values):
            says = f"it has {len(point.values)} outputs, and the reference has {len(expected)}"
            yield finding(subject, "values", says, point, (), None, says, CAUSES["values"])
            return
        shapes = [e.shape for e in expected]
        differ = [k for k, s in enumerate(point.shapes) if s != shapes[k]]
        differ = differ or differing(point.values, expected, subject.unit, sample)
        if differ:
            k = differ[0]
            says = f"output {k} is another one than that of the reference"
            sides = expected[k], point.values[k]
            yield finding(subject, "values", says, point, (), *sides, CAUSES["values"])
            return


def check_backward(subject: Subject) -> list[FunctionFinding]:
    """Run forward and backward; leave out the points at which it raises."""
    errors: list[tuple[Point, str]] = []
    points, subject.points = subject.points, []
    for point in points:
        try:
            subject.framework.gradients(subject.f, point.arrays, list(point.varied(subject.seed)))
        except Exception as error:
            errors.append((point, described(error)))
        else:
            subject.points.append(point)
    if not errors:
        return []
    point, text = errors[0]
    shapes = " and ".join(map(str, point.case.shapes))
    where = f" at inputs of shape {shapes}" if subject.points else ""
    seeds, cause = point.varied(subject.seed), CAUSES["error"]
    return [
        finding(subject, "error", f"the backward raises{where}", point, seeds, None, text, cause)
    ]


def first_order(subject: Subject) -> list[FunctionFinding]:
    """Judge all gradients; inputs that are wrong in the same places make one finding."""
    points = [p for p in subject.points if not p.case.is_empty]
    records = [record for point in points for record in _records(subject, point)]
    wrong = sorted({i for r in records for i in r.answers})
    places: dict[str, list[int]] = {}
    for i in wrong:
        places.setdefault(place_of(records, i), []).append(i)
    return [_wrong(subject, records, where, inputs) for where, inputs in places.items()]


def _records(subject: Subject, point: Point) -> Iterator[Record]:
    for kind, seeds in point.upstreams(subject.seed):
        found = subject.framework.gradients(subject.f, point.arrays, seeds)
        record = Record(point, kind, seeds, found)
        record.answers = {a.input: a for a in _answers(subject, record)}
        yield record


def _answers(subject: Subject, record: Record) -> list[Answer]:
    framework, point = subject.framework, record.point
    question = own_question(
        framework, subject.f, point.arrays, record.seeds, point.shapes, record.gradients
    )
    if subject.reference is None:
        return question.wrong(subject.random)
    given = point.arrays, record.seeds, record.gradients, subject.unit
    answers = unlike_reference(subject.wide, subject.reference, *given)
    return unless_convention(answers, question, subject.random) if answers else []


#: Whether something holds for a record; it may explain why gradients are wrong in some alone.
_Holds: TypeAlias = Callable[[Record], bool]


def _any(test: Callable[[Array], bool]) -> _Holds:
    return lambda r: any(test(r.point.arrays[i]) for i in r.point.case.floats)


#: Where an upstream gradient of ones hides a fault.
UNEVEN = " where the upstream gradient is not uniform"


def _ties(record: Record) -> bool:
    arrays = [record.point.arrays[i] for i in record.point.case.floats]
    pairs = ((a, b) for k, a in enumerate(arrays) for b in arrays[:k] if a.shape == b.shape)
    return any((a == b).any() for a, b in pairs)


_SIZES: dict[str, Callable[[Record], int]] = {
    "input": lambda r: max(a.size for a in r.point.arrays),
    "axis": lambda r: r.point.case.longest,
}


def _conditions(records: Sequence[Record], i: int) -> Iterator[tuple[str, _Holds]]:
    """Yield what may be said of the places in which the gradient of an input is wrong."""
    yield "", lambda r: True
    yield UNEVEN, lambda r: r.kind != "uniform"
    for k in range(len(records[0].seeds)):
        yield f" for the upstream gradient of output {k}", lambda r, k=k: r.seeds[k] is not None  # type: ignore[misc]
    for what, size in _SIZES.items():
        most = max((size(r) for r in records if i not in r.answers), default=0)
        yield f" where an {what} has more than {most} elements", lambda r, s=size, m=most: s(r) > m  # type: ignore[misc]
    yield " where an element is 0", _any(lambda a: bool((a == 0).any()))
    yield " where an element is negative", _any(lambda a: bool((a < 0).any()))
    yield " where elements are equal", _any(lambda a: np.unique(a).size < a.size)
    yield " where elements of two inputs are equal", _ties
    yield " where an input has one element", _any(lambda a: a.size == 1)


def place_of(records: Sequence[Record], i: int) -> str:
    """Return where the gradient of input ``i`` is wrong, as the end of a sentence."""
    wrong = [r for r in records if i in r.answers]
    all_in_all = len(wrong) / len(records)
    best, precision = " at some inputs", min(0.5, 1.5 * all_in_all)
    for words, holds in _conditions(records, i):
        if all(map(holds, wrong)):
            part = len(wrong) / sum(map(holds, records))
            if part > precision:
                best, precision = words, part
    return best


def _wrong(
    subject: Subject, records: Sequence[Record], where: str, inputs: list[int]
) -> FunctionFinding:
    i = inputs[0]
    record = next(r for r in records if i in r.answers)
    answer, point = record.answers[i], record.point
    actual = record.gradients[i]
    shown = np.zeros(point.arrays[i].shape) if actual is None else actual
    expected = answer.expected
    evidence = Evidence(
        where, shown if expected is None else expected, shown, _scales(subject, record, i)
    )
    if not evidence.scales and evidence.where == UNEVEN:
        where = " where the upstream gradient is not 1"
    names = " and ".join(map(str, inputs))
    plural = "gradients of inputs" if len(inputs) > 1 else "gradient of input"
    verb = "are" if len(inputs) > 1 else "is"
    says = f"the {plural} {names} {verb} wrong{where}"
    note = answer.note or _KNOWN[subject.reference is not None]
    cause = cause_of(evidence)
    sides = expected, "None (no gradient)" if actual is None else actual
    return finding(
        subject,
        "first order",
        says,
        point,
        record.starts,
        *sides,
        cause,
        note,
        Difference(i, *sides),
    )


#: How the right gradient is known.
_KNOWN = {
    True: "expected is the gradient of the reference",
    False: "expected is the slope of the function's own values",
}


def _scales(subject: Subject, record: Record, i: int) -> bool:
    """Return whether the gradient doubles with the upstream gradient."""
    seeds: Seeds = [None if s is None else 2 * s for s in record.seeds]
    double = subject.framework.gradients(subject.f, record.point.arrays, seeds)[i]
    single = record.gradients[i]
    if single is None or double is None:
        return True
    return bool(np.allclose(double, 2 * single, equal_nan=True)) or not single.any()


def second_order(subject: Subject) -> Iterator[FunctionFinding]:
    """Judge second derivatives by differences of the function's own gradients."""
    framework = subject.framework
    for point in subject.plain[:_SECOND_POINTS]:
        seeds = point.varied(subject.seed)
        weights = _weights(point, subject.seed)
        try:
            seconds = framework.second(subject.f, point.arrays, seeds, weights)
        except Exception as error:
            text = described(error)
            if any(words in text for words in _REFUSALS):
                subject.untested.append(f"second order: {text}")
                return
            says = "the backward raises where it is differentiated (create_graph=True)"
            cause = CAUSES["second order"]
            yield finding(subject, "second order", says, point, seeds, None, text, cause)
            return
        question = second_question(framework, subject.f, point.arrays, seeds, weights, seconds)
        answers = question.wrong(subject.random)
        if answers and not question.is_convention(subject.random):
            yield _second(subject, point, seeds, seconds, answers)
            return


def _weights(point: Point, seed: int) -> list[Array | None]:
    random = np.random.default_rng((seed, 2))
    moved = point.case.floats
    return [
        random.choice((0.5, 1.0, -1.0, 1.5), a.shape) if i in moved else None
        for i, a in enumerate(point.arrays)
    ]


def _second(
    subject: Subject,
    point: Point,
    seeds: Sequence[Array],
    seconds: Sequence[Array | None],
    answers: Sequence[Answer],
) -> FunctionFinding:
    count = len(point.arrays)
    names = [f"input {a.input}" for a in answers if a.input < count]
    names += ["the upstream gradient"] if any(a.input >= count for a in answers) else []
    by = f" by {' and '.join(names)}"
    says = f"the second derivative{by} is wrong: the gradient cannot be differentiated again"
    answer = answers[0]
    actual = seconds[answer.input]
    sides = answer.expected, "None (no gradient)" if actual is None else actual
    note = "expected is the slope of the function's own gradient"
    cause = CAUSES["second order"]
    weights = tuple(_weights(point, subject.seed))
    shows = Difference(answer.input, *sides, weights)
    return finding(subject, "second order", says, point, seeds, *sides, cause, note, shows)
