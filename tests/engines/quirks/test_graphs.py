"""Graphs that a backward always clears, as far as the quirk says and no further."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import CreationOrderIgnored, Overwrite
from parity.diagnose.shrink import reduced
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.load import EngineError, load_engine
from parity.engines.quirks.table import with_quirks
from parity.language import program as pr
from parity.language.text_format import program_from_text
from parity.oracle.adjudicate import adjudicate
from parity.oracle.check import check_program, check_programs
from parity.oracle.exact.engine import Exact
from parity.oracle.finding import KINDS, Finding
from parity.oracle.verdict import ILL_CONDITIONED
from tests.helpers.programs import TORCH, searched, write_module
from tests.helpers.quirk_engines import QUIRK_ENGINES, declaring

QUIRK = "clears-graphs"
RAISES = "raises"
#: What a program leaves in the gradient of its first leaf, or that its last statement raises.
CASES: dict[str, tuple[str, Any]] = {
    "the root again": ("x1 = mul(x0, x0)\nbackward(x1, retain_graph=True)\nbackward(x1)", 6.0),
    "a leaf that is a root": ("x1 = neg(x0)\nbackward(x0)\nbackward(x1)", RAISES),
    "a leaf of two graphs": ("x1 = neg(x0)\nx2 = neg(x0)\nbackward(x1)\nbackward(x2)", RAISES),
    "used since": (
        "x1 = neg(x0)\nx2 = neg(x0)\nbackward(x1)\nx3 = neg(x0)\nbackward(x2)\nbackward(x3)",
        RAISES,
    ),
    "used since, by the first": (
        "x1 = neg(x0)\nx2 = neg(x0)\nbackward(x1)\nx3 = neg(x0)\nbackward(x2)",
        -2.0,
    ),
    "used since under no_grad": (
        "x1 = neg(x0)\nx2 = neg(x0)\nbackward(x1)\nx3 = neg(x0)  # under no_grad\nbackward(x2)",
        RAISES,
    ),
    "a shared result": (
        "x1 = mul(x0, x0)\nx2 = neg(x1)\nx3 = neg(x1)\nbackward(x2)\nbackward(x3)",
        RAISES,
    ),
    "a shared result, used since": (
        "x1 = mul(x0, x0)\nx2 = neg(x1)\nx3 = neg(x1)\nbackward(x2)\nx4 = neg(x1)\nbackward(x3)",
        -6.0,
    ),
    "what was used since is dropped": (
        "x1 = mul(x0, x0)\nx2 = neg(x1)\nx3 = neg(x1)\nbackward(x2)\nx4 = neg(x1)\ndel x4\n"
        "backward(x3)",
        RAISES,
    ),
    "what was used since is dropped, but needed": (
        "x1 = mul(x0, x0)\nx2 = neg(x1)\nx3 = neg(x1)\nbackward(x2)\nx4 = neg(x1)\nx5 = neg(x4)\n"
        "del x4\nbackward(x3)",
        -6.0,
    ),
    "a result becomes a variable": (
        "x1 = mul(x0, x0)\nbackward(x1)\nx2 = mul(x1, x0)\nbackward(x2)",
        15.0,
    ),
    "one way is cut": (
        "x1 = mul(x0, x0)\nx2 = neg(x1)\nx3 = mul(x1, x0)\nbackward(x2)\nx4 = neg(x1)\n"
        "x5 = neg(x0)\nbackward(x3)",
        3.0,
    ),
    "the result of a leaf's graph": (
        "x1 = mul(x0, x0)\nx2 = neg(x1)\nbackward(x1)\nbackward(x2)",
        RAISES,
    ),
    "a constant of two graphs": (
        "x1 = detach(x0)\nx2 = mul(x0, x1)\nbackward(x2)\nx3 = mul(x0, x1)\nbackward(x3)",
        6.0,
    ),
    "two roots that share nothing": (
        "x1 = leaf(2.0)\nx2 = neg(x0)\nx3 = neg(x1)\nbackward(x2)\nbackward(x3)",
        -1.0,
    ),
    "where a backward ends it clears again": (
        "x1 = mul(x0, x0)\nx2 = neg(x1)\nbackward(x1)\nx3 = mul(x1, x1)\nbackward(x2)\n"
        "backward(x3)",
        RAISES,
    ),
}


def _case(name: str) -> pr.Program:
    return program_from_text("x0 = leaf(3.0)\n" + CASES[name][0])


def _shown(case: pr.Program, engine: Engine) -> Any:
    """The gradient of the first leaf at the end, or that the last statement raised."""
    trace = execute(case, engine)
    if trace.failure is not None:
        assert trace.failure.statement == len(case.statements) - 1
        return RAISES
    last = [o.array for o in trace.observations if o.what == "grad" and o.which == 0][-1]
    return None if last is None else last.tolist()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "side",
    [with_quirks(TORCH, frozenset({QUIRK})), with_quirks(Exact(), frozenset({QUIRK}))],
    ids=lambda e: e.name,
)
def test_what_is_expected(side: Engine, name: str) -> None:
    assert _shown(_case(name), side) == CASES[name][1]


@pytest.mark.parametrize("name", CASES)
def test_engines_that_clear_their_graphs_agree(name: str) -> None:
    case = _case(name)
    assert _shown(case, QUIRK_ENGINES[QUIRK]()) == CASES[name][1]
    for engine in (declaring(QUIRK_ENGINES[QUIRK], QUIRK), load_engine("mygrad")):
        assert check_program(case, engine, TORCH) is None


def _findings(engine: Engine, cases: list[pr.Program]) -> Iterator[tuple[pr.Program, Finding]]:
    for case, finding in check_programs(cases, engine, TORCH):
        if finding is not None:
            yield case, finding


def _programs(engine: Engine, seed: int, count: int) -> list[pr.Program]:
    profiles = ("general", "accumulation", "clearing", "lifetime", "modes", "no-grad", "errors")
    return list(itertools.islice(searched(engine, seed, profiles), count))


#: The quirks of MyGrad about gradients and graphs.
TOGETHER = (
    *(QUIRK, "no-grad-gives-variables", "constants-stop-quietly"),
    *("clears-grads-on-use", "clears-grads-on-backward"),
)
#: A variable that no_grad gave is cleared as others are; and backwards from constants.
ALSO = (
    "x0 = leaf(3.0)\nx1 = neg(x0)  # under no_grad\nx2 = mul(x0, x1)\nx3 = mul(x0, x1)\n"
    "backward(x2)\nx4 = neg(x0)\nbackward(x3)",
    "x0 = leaf(3.0)\nx1 = neg(x0)  # under no_grad\nx2 = mul(x0, x1)\nbackward(x1)\nbackward(x2)",
    "x0 = leaf(3.0)\nx1 = neg(x0)  # under no_grad\nx2 = neg(x1)\nbackward(x1)\nbackward(x2)",
    "x0 = leaf(3.0)\nx1 = detach(x0)\nbackward(x1)\nbackward(x0)",
    "x0 = leaf(3.0, requires_grad=False)\nbackward(x0)",
)


def test_quirks_about_graphs_go_together() -> None:
    mixed: Any = type("Mixed", tuple(QUIRK_ENGINES[quirk] for quirk in TOGETHER), {})
    cases = [*map(program_from_text, ALSO), *_programs(declaring(mixed, *TOGETHER), 1, 150)]
    assert list(_findings(declaring(mixed, *TOGETHER), cases)) == []
    for left_out in TOGETHER:
        fewer = declaring(mixed, *(q for q in TOGETHER if q != left_out))
        assert any(_findings(fewer, cases))


@pytest.mark.parametrize("text", ALSO)
def test_mygrad_agrees_there(text: str) -> None:
    assert check_program(program_from_text(text), load_engine("mygrad"), TORCH) is None


def test_graphs_that_are_kept_elsewhere_are_findings() -> None:
    """An engine that does only half of what the quirk says."""

    class EndsOnly(QUIRK_ENGINES[QUIRK]):  # type: ignore[misc, name-defined]
        def run(self, *args: Any) -> None:
            TapeEngine.run(self, *args)

    class FailsOnly(QUIRK_ENGINES[QUIRK]):  # type: ignore[misc, name-defined]
        def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
            TapeEngine.backward(self, t, gradient, retain_graph=True)
            for node in self.order(t, {}):
                for x in node.parents:
                    self.readers.pop(x, None)

    for half in (EndsOnly, FailsOnly):
        engine = declaring(half, QUIRK)
        assert any(_findings(engine, _programs(engine, 2, 300)))


@pytest.mark.slow
def test_third_opinion_and_diagnosis_follow_the_graphs() -> None:
    engine = declaring(type("Mixed", (CreationOrderIgnored, QUIRK_ENGINES[QUIRK]), {}), QUIRK)
    case, finding = next(_findings(engine, _programs(engine, 4, 400)))
    small, finding = reduced(case, finding, engine, TORCH)
    assert adjudicate(small, finding, engine, TORCH).wrong == "engine"
    (cause,) = Triage(engine, TORCH).blame(small, finding)
    assert cause.name == CreationOrderIgnored.name


def test_a_value_beside_a_kink_decides_nothing_in_a_dialect() -> None:
    """What the wrapper computes in addition is not taken for a result of the program."""
    case = program_from_text(
        "x0 = leaf([1.0, 1.0])\nx1 = max(x0, axis=None, keepdims=False)\n"
        "x2 = mul_scalar(x1, c=0.1)\nx3 = div_scalar(x1, c=10)\n"  # 0.1 is not a tenth
        "x4 = maximum(x2, x3)\nbackward(x4)"
    )
    engine = declaring(QUIRK_ENGINES["max-ties-first"], "max-ties-first")
    finding = Finding(KINDS["gradient"], 4, "grad", 0, np.array(1.0), np.array(0.0))
    verdict = adjudicate(case, finding, engine, TORCH)
    assert verdict.wrong == ILL_CONDITIONED
    assert "maximum" in verdict.note


@pytest.mark.parametrize(
    ("quirk", "start"),
    [
        ("maximum-ties-neither", "x1 = neg(x0)\nx2 = neg(x1)\nx3 = maximum(x1, x2)\n"),
        ("max-ties-first", "x1 = stack(x0, x0, axis=0)\nx2 = max(x1, axis=0, keepdims=False)\n"
         "x3 = neg(x2)\nx4 = neg(x3)\n"),
    ],
)  # fmt: skip
def test_what_a_dialect_looks_at_is_not_taken_for_a_result(quirk: str, start: str) -> None:
    """The relu is of 1 on all sides, while values before it are -1."""
    n = start.count("\n")
    case = program_from_text(
        f"x0 = leaf(1.0)\n{start}x{n + 1} = relu(x{n})\nx{n + 2} = add(x{n + 1}, x{n + 1})\n"
        f"backward(x{n + 2})"
    )
    engine = declaring(type("Mixed", (Overwrite, QUIRK_ENGINES[quirk]), {}), quirk)
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    assert adjudicate(case, finding, engine, TORCH).wrong == "engine"


def test_there_is_no_second_order_in_graphs_that_are_cleared(tmp_path: Path) -> None:
    text = """
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            quirks = frozenset({"clears-graphs"})
    """
    file = write_module(tmp_path, "mine.py", text)
    words = "clears-graphs and the method grad_tensor exclude each other"
    with pytest.raises(EngineError, match=words):
        load_engine(f"{file}:Mine")
