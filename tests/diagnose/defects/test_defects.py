"""Each defect is what it says: found, by the program that it names and by a search."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import parity.oracle.probes
from parity.campaign.search import search
from parity.cli.options import DEFAULT_EXAMPLES
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.shrink import reduced
from parity.diagnose.shrink_passes import simpler
from parity.engines.load import load_engine
from parity.engines.sources import adapter_of
from parity.generate.profiles import PROFILES
from parity.language import program as pr
from parity.language.table import OPS
from parity.oracle.finding import Finding
from parity.oracle.probes import PROBES, Probe
from tests.helpers.programs import TORCH, apply, check, failing, leaf, program, sample

NAMED: dict[str, Probe] = {probe.name: probe for probe in PROBES}
#: Defects that programs show, and those that only a probe does.
SHOWN = [name for name, cls in DEFECTS.items() if cls.smallest is not None and not cls.flaky]
FLAKY = [name for name, cls in DEFECTS.items() if cls.flaky]
PROBED = [name for name, cls in DEFECTS.items() if cls.smallest is None]


def _finding(case: pr.Program, name: str) -> Finding:
    finding = check(case, DEFECTS[name]())
    assert finding is not None
    return finding


def _length(case: pr.Program) -> int:
    return len(case.statements)


# The words.


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_says_what_it_is(name: str) -> None:
    cls = DEFECTS[name]
    assert cls.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+|[a-z]+", name)
    assert len(cls.description) > 20
    assert cls.description[0].islower() or cls.description.startswith("Python")
    assert not cls.description.endswith(".")
    assert isinstance(cls.seen, str)
    assert (cls.smallest is None) == bool(cls.probe)


def test_each_defect_has_words_of_its_own() -> None:
    assert len({cls.description for cls in DEFECTS.values()}) == len(DEFECTS)
    assert len(set(DEFECTS.values())) == len(DEFECTS) >= 40


def test_the_defects_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        DEFECTS["mine"] = TapeEngine  # type: ignore[index]


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_loaded_by_its_module_and_class(name: str) -> None:
    cls = DEFECTS[name]
    assert type(load_engine(f"{cls.__module__}:{cls.__name__}")) is cls


# The smallest programs.


@pytest.mark.parametrize("name", SHOWN)
def test_the_smallest_program_shows_the_defect_and_only_it(name: str) -> None:
    case = DEFECTS[name].smallest
    _finding(case, name)
    assert check(case, TapeEngine()) is None


@pytest.mark.parametrize("name", SHOWN)
def test_without_any_statement_the_smallest_program_does_not_show_it(name: str) -> None:
    case = DEFECTS[name].smallest
    kind = _finding(case, name).kind
    shorter = [s for s in simpler(case, len(case.statements) - 1) if _length(s) < _length(case)]
    assert shorter or _length(case) == 1
    found = [(str(other), check(other, DEFECTS[name]())) for other in shorter]
    assert [text for text, finding in found if finding is not None and finding.kind == kind] == []


@pytest.mark.parametrize("name", SHOWN)
def test_the_smallest_program_does_not_reduce_to_fewer_statements(name: str) -> None:
    case = DEFECTS[name].smallest
    small, _ = reduced(case, _finding(case, name), DEFECTS[name](), TORCH)
    assert _length(small) == _length(case), str(small)


@pytest.mark.parametrize("name", FLAKY)
def test_the_smallest_program_shows_a_flaky_defect_now_and_then(name: str) -> None:
    engine = DEFECTS[name]()
    found = [check(DEFECTS[name].smallest, engine) is not None for _ in range(500)]
    assert 0 < sum(found) <= 15


# Search.


@pytest.mark.parametrize("name", SHOWN)
def test_a_search_finds_the_defect_within_the_default_budget(name: str) -> None:
    assert any(next(failing(DEFECTS[name](), seed, DEFAULT_EXAMPLES), None) for seed in range(3))


@pytest.mark.parametrize("name", PROBED)
def test_only_the_probe_shows_the_defect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity.oracle.probes, "DEEP", 2000)
    engine = DEFECTS[name]()
    assert next(failing(engine, 0, 200), None) is None
    assert {p for p, probe in NAMED.items() if list(probe.run(engine))} == {DEFECTS[name].probe}


# The base.


@pytest.mark.parametrize("profile", PROFILES)
def test_the_base_agrees_with_pytorch(profile: str) -> None:
    engine = TapeEngine()
    cases = sample(profile, 150, engine, seed="base")
    assert [str(case) for case in cases if check(case, engine)] == []


def test_the_probes_find_nothing_in_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity.oracle.probes, "DEEP", 3000)
    assert search(TapeEngine(), TORCH, 60).findings == []


#: Operations of the base, each on operands that it takes, differentiated once more.
OPERANDS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "pow": ([[0.5, 2.0]], {"exponent": 3}),
    "log": ([[0.5, 2.0]], {}),
    "sqrt": ([[0.5, 2.0]], {}),
    "power": ([[0.5, 2.0], [2.0, 0.5]], {}),
    "sum": ([[[1.0, 2.0], [3.0, 4.0]]], {"axis": 1, "keepdims": False}),
    "mean": ([[[1.0, 2.0], [3.0, 4.0]]], {"axis": (0, 1), "keepdims": True}),
    "max": ([[[1.0, 2.0], [3.0, 3.0]]], {"axis": 1, "keepdims": False}),
    "min": ([[1.0, 1.0]], {"axis": None, "keepdims": False}),
    "clip": ([[0.5, 1.0, 4.0]], {"x_min": 0.5, "x_max": 2.0}),
    "norm": ([[[1.0, 2.0], [3.0, 4.0]]], {"axis": 1, "keepdims": False}),
    "logsumexp": ([[[1.0, 2.0], [3.0, 4.0]]], {"axis": 1, "keepdims": True}),
    "broadcast_to": ([[1.0, 2.0]], {"shape": (2, 2)}),
    "sum_to": ([[[1.0, 2.0], [3.0, 4.0]]], {"shape": (2, 1)}),
    "reshape": ([[1.0, 2.0]], {"shape": (2, 1)}),
    "transpose": ([[[[1.0, 2.0]], [[3.0, 4.0]]]], {"axes": (1, 2, 0)}),
    "get_item": ([[1.0, 2.0]], {"index": (("list", (0, 1, 0)),)}),
    "matmul": ([[1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]]], {}),
    "slice_backwards": ([[1.0, 2.0]], {"axis": 0, "start": None, "stop": None, "step": -1}),
    "concat": ([[1.0, 2.0], [3.0]], {"axis": 0}),
    "stack": ([[1.0, 2.0], [3.0, 4.0]], {"axis": 1}),
    "split": ([[1.0, 2.0, 3.0]], {"axis": 0, "sizes": (2, 1)}),
    "where": ([[1.0, 2.0], [3.0, 4.0]], {"condition": (True, False)}),
    **{f"{op}_scalar": ([[1.0, 2.0]], {"c": 2}) for op in ("add", "sub", "rsub", "mul", "div")},
    "rdiv_scalar": ([[1.0, 2.0]], {"c": 2}),
}


def _twice(op: str, dtype: str) -> Iterator[pr.Program]:
    """Programs that differentiate the square of each result of an operation twice."""
    arity = OPS[op].arity or 2
    operands, attrs = OPERANDS.get(op, ([[1.0, 2.0], [2.0, 2.0]][:arity], {}))
    leaves = [leaf(values, dtype) for values in operands]
    first = apply(op, *range(len(leaves)), **attrs)
    outputs = first.results([one.info() for one in leaves])
    n = len(leaves)
    for k in range(len(outputs)):
        root = n + len(outputs)
        statements = [first, apply("square", n + k), apply("sum_to", root, shape=())]
        statements += [pr.Backward(root + 1, create_graph=True)]
        statements += [pr.TakeGrad(i) for i in range(n)]
        statements += [apply("square", root + 2 + i) for i in range(n)]
        statements += [apply("sum_to", root + 2 + n + i, shape=()) for i in range(n)]
        for i in range(n):
            last = pr.Backward(root + 2 + 2 * n + i, retain_graph=True)
            yield program(leaves, *statements, pr.Clear(tuple(range(n))), last)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", sorted(set(TapeEngine().ops) - {"sign"}))  # its gradient is 0
def test_each_operation_of_the_base_has_a_second_derivative(op: str, dtype: str) -> None:
    for case in _twice(op, dtype):
        finding = check(case, TapeEngine())
        assert finding is None, f"{finding}\n{case!s}\n{finding.engine} {finding.reference}"


def test_a_recorded_backward_adds_to_what_is_there() -> None:
    """In second order as in first: a plain backward before it, and a recorded one twice."""
    square, again = apply("square", 0), pr.Backward(1, create_graph=True)
    for before in (pr.Backward(1, retain_graph=True), again):
        case = program([leaf(3.0)], square, before, again, pr.TakeGrad(0), pr.Backward(2))
        assert check(case, TapeEngine()) is None


def test_the_base_refuses_what_pytorch_refuses() -> None:
    square = apply("square", 0)
    constant = leaf(3.0, requires_grad=False)
    cases = [
        program([leaf(3.0)], square, pr.Backward(1), pr.Backward(1)),
        program([constant], pr.Backward(0)),
        program([leaf(3.0)], replace(square, no_grad=True), pr.Backward(1)),
        program([leaf([3.0])], pr.Backward(0, pr.Constant((), (1.0,)))),
        program([leaf(3.0)], square, pr.Backward(1), pr.Clear((0,)), pr.TakeGrad(0)),
    ]
    assert [str(case) for case in cases if check(case, TapeEngine())] == []


def test_scripts_copy_little_for_a_defect() -> None:
    """Not the table of operations, although rows may have rules for the engine."""
    sources = adapter_of(DEFECTS["overwrite"]()).sources
    assert "parity.diagnose.defects.vjps" in sources
    assert not any(name.startswith("parity.language") for name in sources)
