"""Programs checked one by one, in batches, and with as few disturbed runs as will do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from parity.diagnose.shrink import depends_on_operation
from parity.engines.adapters.dezero import Dezero
from parity.engines.execute import execute
from parity.language import program as pr
from parity.language.table import (
    OPS,
    attribute_choices,
    infer_operation,
    output_shapes,
    with_rules,
)
from parity.oracle.check import check_program, check_programs
from parity.oracle.exact.engine import Exact
from parity.oracle.finding import KINDS, Finding
from parity.oracle.tolerance import SAMPLE_COUNTS, Tolerance
from tests.helpers.programs import DEZERO, TORCH, apply, constant, leaf, program, searched


class Wrong(Dezero):
    """Adds where it should multiply, and has no exponential."""

    ops: ClassVar[dict[str, Any]] = {
        **{name: function for name, function in Dezero.ops.items() if name != "exp"},
        "mul": Dezero.ops["add"],
    }


SCALARS = program([leaf(3.0)], apply("mul", 0, 0), pr.Backward(1))


def shown(finding: Finding | None) -> tuple[Any, ...] | None:
    if finding is None:
        return None
    arrays = (finding.engine, finding.reference, finding.allowed)
    return finding.kind, finding.statement, finding.error_over_bound, *map(repr, arrays)


@pytest.mark.parametrize("batch", [1, 7, 60, 1000])
def test_a_batch_gives_what_each_program_gives(batch: int) -> None:
    cases = list(itertools.islice(searched(Wrong(), 3), 60))
    engine = Wrong()
    one_by_one = [shown(check_program(case, engine, TORCH)) for case in cases]
    assert sum(one is not None for one in one_by_one) > 3
    given = list(check_programs(cases, engine, TORCH, batch))
    assert [case for case, _ in given] == cases
    assert [shown(finding) for _, finding in given] == one_by_one


def test_no_more_than_a_batch_is_read_ahead() -> None:
    read: list[int] = []

    def endless() -> Iterator[pr.Program]:
        for number in itertools.count():
            read.append(number)
            yield SCALARS

    checked = check_programs(endless(), DEZERO, TORCH, batch=5)
    assert read == []
    for done, count in ((5, 1), (5, 5), (10, 6)):
        while count > 0 and len(read) < done:
            next(checked)
            count -= 1
        assert len(read) == done
    assert next(check_programs([], DEZERO, TORCH), None) is None


def test_what_one_program_of_a_batch_shows_or_lacks_is_not_that_of_another() -> None:
    edge = program(
        [leaf([0.0, 4.0])], apply("sqrt", 0), apply("get_item", 1, index=(1,)), pr.Backward(2)
    )
    unsupported = program([leaf(1.0)], apply("exp", 0), pr.Backward(1))
    right = program([leaf(3.0)], apply("add", 0, 0), pr.Backward(1))
    cases = [edge, SCALARS, unsupported, SCALARS, edge, right]
    kinds = [finding and finding.kind for _, finding in check_programs(cases, Wrong(), Exact())]
    assert [kind is not None for kind in kinds] == [False, True, False, True, False, False]


# Whether a finding is an operation's own.

GRADIENT = Finding(KINDS["gradient"], 0, "", 0, None, None)
ACCUMULATION = Finding(KINDS["accumulation"], 0, "", 0, None, None)
OTHER_KIND = Finding(KINDS["dtype"], 0, "", 0, None, None)


@pytest.mark.parametrize(
    ("finding", "shown", "depends"),
    [
        (GRADIENT, [GRADIENT] * 3 + [None] * 5, True),
        (GRADIENT, [GRADIENT] * 4 + [None] * 4, False),
        (GRADIENT, [None] * 8 + [GRADIENT] * 20, True),  # eight are enough
        (GRADIENT, [GRADIENT] * 8 + [None] * 20, False),
        (GRADIENT, [GRADIENT, None, None], True),
        (GRADIENT, [GRADIENT, None], False),
        (GRADIENT, [OTHER_KIND] * 8, True),
        (GRADIENT, [ACCUMULATION] * 8, True),
        (ACCUMULATION, [GRADIENT] * 4 + [None] * 4, False),  # what it may reduce to
        (GRADIENT, [], True),  # nothing may stand in its place
    ],
)
def test_a_finding_depends_on_an_operation_that_most_others_do_not_share(
    finding: Finding,
    shown: list[Finding | None],
    depends: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = {leaf_case(n): one for n, one in enumerate(shown)}
    not_tried = program([leaf(0.5)], apply("exp", 0))
    several = itertools.chain.from_iterable((not_tried, one) for one in others)
    monkeypatch.setattr(
        "parity.diagnose.shrink.with_other_operation", lambda program, number: several
    )
    check = others.__getitem__
    assert depends_on_operation(0, SCALARS, finding, check, ("neg",)) == depends


def leaf_case(number: int) -> pr.Program:
    return program([leaf(float(number))], apply("neg", 0))


# Samples.


class Counted(Tolerance):
    """Counts the disturbed runs."""

    runs = 0

    def _run(self, *arguments: Any, **options: Any) -> Any:
        self.runs += 1
        return super()._run(*arguments, **options)


def inexact() -> list[tuple[pr.Program, int, np.ndarray[Any, Any]]]:
    """Programs where rounding decides, with a gradient that PyTorch shows and its index."""
    cases = [
        program([leaf([0.7, 1.3])], apply("tanh", 0), pr.Backward(1, constant([1.0, 2.0]))),
        program(
            [leaf([0.7, -0.4])],
            apply("softmax", 0, axis=0),
            pr.Backward(1, constant([1.0, -2.0])),
        ),
        program([leaf(0.7, "float32")], apply("gelu", 0), apply("mul", 1, 1), pr.Backward(2)),
    ]
    found = []
    for case in cases:
        seen = execute(case, TORCH).observations
        index = max(i for i, o in enumerate(seen) if o.what == "grad")
        array = seen[index].array
        assert array is not None
        found.append((case, index, array))
    return found


@pytest.mark.parametrize(("case", "index", "array"), inexact())
def test_samples_are_drawn_until_they_allow_a_difference(
    case: pr.Program, index: int, array: np.ndarray[Any, Any]
) -> None:
    full = Tolerance(case).bound(index, array)
    floor = 8 * Tolerance(case).unit * np.abs(array)
    within = Counted(case)
    assert within.excess(index, 0.9 * floor, array) is None
    assert within.runs == 0
    assert within.excess(index, 1.1 * floor, array) is None
    assert within.runs == 2  # one of them is not disturbed
    assert within.excess(index, 0.999 * full, array) is None
    runs = within.runs
    excess = within.excess(index, 1.001 * full, array)
    assert excess is not None
    assert np.allclose(excess, 1.001, rtol=1e-12)
    assert within.runs == 1 + SAMPLE_COUNTS[-1] >= runs


@pytest.mark.parametrize(("case", "index", "array"), inexact())
def test_what_few_samples_allow_all_of_them_allow(
    case: pr.Program, index: int, array: np.ndarray[Any, Any]
) -> None:
    full = Tolerance(case).bound(index, array)
    for part in np.linspace(0.01, 1.3, 60):
        tolerance = Tolerance(case)
        allowed = tolerance.excess(index, part * full, array) is None
        assert allowed == bool(np.all(part * full <= full))
        assert np.array_equal(tolerance.bound(index, array), full)


def test_a_wrong_number_in_float32_needs_few_samples() -> None:
    case, index, array = next(c for c in inexact() if c[0].leaves[0].dtype == "float32")
    tolerance = Counted(case)
    assert tolerance.excess(index, np.abs(array), array) is not None
    assert tolerance.runs <= 4  # one of them is not disturbed


# Fits.


@pytest.mark.parametrize("name", with_rules())
def test_a_fit_says_what_the_rules_say(name: str) -> None:
    op = OPS[name]
    for shapes in itertools.product(((), (2,), (2, 2), (1, 3)), repeat=op.arity or 2):
        choices = attribute_choices(name, shapes)
        for number in range(2 * len(choices)):
            fit = infer_operation(name, shapes, number)
            attrs = choices[number % len(choices)]
            outputs = output_shapes(name, shapes, attrs)
            assert (fit is None) == (outputs is None)
            if fit is not None and outputs is not None:
                assert (fit.op, fit.attrs, fit.outputs) == (op, attrs, outputs)
                assert fit.size == max(np.prod(shape, dtype=int) for shape in outputs)
                assert fit.ndim == max(map(len, outputs))
                assert not fit.exact or op.dyadic is not None
        if not choices:
            assert infer_operation(name, shapes, 0) is None


def test_a_fit_knows_the_domain_and_the_number_of_summed_elements() -> None:
    root = infer_operation("sqrt", ((2,),), 0)
    total = infer_operation("sum", ((2, 3),), 0)
    assert root is not None
    assert total is not None
    assert root.interval([(-1.0, 4.0)]) is None
    assert root.interval([(1.0, 4.0)]) == (1.0, 2.0)
    assert total.interval([(-1.0, 2.0)]) == (-6.0, 12.0)


@pytest.mark.parametrize(
    "case",
    [
        program([leaf(1.0, "float32")], apply("mul", 0, 0), pr.Backward(1)),
        program([leaf([[3.0]])], apply("mul", 0, 0), pr.Backward(1)),
        program([leaf([3.0])], apply("expand_dims", 0, axis=0), apply("mul", 1, 1)),
        program([leaf(3.0)], apply("exp", 0), apply("mul", 1, 1)),
    ],
)
def test_programs_beyond_an_engine_show_nothing(case: pr.Program) -> None:
    class Narrow(Wrong):
        dtypes = ("float64",)
        max_ndim = 1

    able = Wrong()
    able.ops = {**Dezero.ops, "mul": Wrong.ops["mul"]}  # type: ignore[misc]
    assert check_program(case, able, TORCH) is not None
    assert check_program(case, Narrow(), TORCH) is None
