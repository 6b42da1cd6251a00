"""Faults from some size on are reduced to that size, and the cause says it."""

from __future__ import annotations

import pytest

from parity.diagnose.shrink_sizes import shrunk, with_length
from parity.diagnose.sizes import size_condition
from parity.diagnose.triage import Triage
from parity.engines.runner import as_runner
from parity.language import program as pr
from parity.language.shapes import size
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.programs import TORCH
from tests.helpers.size_engines import ENGINES

_PAIR = "x0 = leaf(pattern({0}))\nx1 = {1}(x0{2})\nbackward(x1, gradient=pattern({0}))"
_TOTAL = "x0 = leaf(pattern({0}))\nx1 = {1}(x0, axis=None, keepdims=False)\nbackward(x1)"
_MANY = "pattern(1025, start=97, step=4, period=1021, low=-510, over=300)"
_JOINS = "x0 = leaf(3.0)\nx1 = stack({}, axis=0)\nbackward(x1, gradient=pattern({}))"

#: For each engine a large program, the elements of the largest leaf of the reduced one, and words.
CASES: dict[str, tuple[str, int, str]] = {
    "doubled-above-16": (
        "x0 = leaf(pattern(40, 25))\nx1 = mul(x0, x0)\nbackward(x1, gradient=pattern(40, 25))",
        17,
        "from 17 elements on",
    ),
    "loses-last-block": (_TOTAL.format(1000, "sum"), 65, "from 65 elements on"),
    "cumsum-from-129": (
        "x0 = leaf(pattern(5, 257))\nx1 = cumsum(x0, axis=-1)",
        129,
        "from length 129 of an axis on",
    ),
    "narrow-sum": (
        f"x0 = leaf({_MANY})\nx1 = sum(x0, axis=None, keepdims=False)",
        257,
        "from 257 elements on",
    ),
    "blocked-matmul": (
        "x0 = leaf(pattern(31, 65))\nx1 = leaf(pattern(65, 9))\nx2 = matmul(x0, x1)",
        9,
        "where the length of an axis is no multiple of 8",
    ),
    "softmax-by-block": (
        "x0 = leaf(pattern(129, 3, over=10))\nx1 = softmax(x0, axis=0)",
        33,
        "from length 33 of an axis on",
    ),
    "max-of-first-256": (
        f"x0 = leaf({_MANY})\nx1 = max(x0, axis=None, keepdims=False)",
        257,
        "from 257 elements on",
    ),
    "long-kept-axis": (
        "x0 = leaf(pattern(257))\nx1 = leaf(pattern(3, 257))\nx2 = mul(x0, x1)\n"
        "backward(x2, gradient=pattern(3, 257))",
        65,
        "from length 65 of an axis on",
    ),
    "small-indices": (
        "x0 = leaf(pattern(70000))\nx1 = get_item(x0, index=(('list', (0, 69999, 0)),))",
        32769,
        "from length 32769 of an axis on",
    ),
    "gradient-of-32767": (_PAIR.format(70000, "square", ""), 32769, "from 32769 elements on"),
    "transpose-of-five": (
        "x0 = leaf(pattern(2, 3, 1, 5, 2))\nx1 = transpose(x0, axes=(4, 3, 2, 1, 0))\n"
        "backward(x1, gradient=pattern(2, 5, 1, 3, 2))",
        4,
        "from 5 dimensions on",
    ),
    "loses-use-33": (
        _JOINS.format(", ".join(["x0"] * 64), 64),
        1,
        "from the 33rd use of a value on",
    ),
    "seventeen": (
        _JOINS.format(", ".join(["x0"] * 17), 17),
        1,
        "where a value is used 17 times",
    ),
    "vector-rest": (
        _PAIR.format(1025, "exp", ""),
        33,
        "where the length of an axis is no multiple of 4",
    ),
    "mean-of-1000": (_TOTAL.format(1025, "mean"), 1001, "from 1001 elements on"),
}


def _reduced(name: str) -> tuple[pr.Program, str]:
    """The reduced program of a case, and its size in words."""
    engine = as_runner(ENGINES[name]())
    triage = Triage(engine, TORCH)
    triage.explains = lambda program, finding: False  # type: ignore[method-assign]
    program = program_from_text(CASES[name][0])
    finding = check_program(program, engine, TORCH)
    assert finding is not None
    small, found = triage.reduced(program, finding)

    def keeps(other: pr.Program) -> bool:
        again = check_program(other, engine, TORCH)
        return again is not None and again.kind == found.kind

    return small, size_condition(small, keeps)


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_reduced_to_the_size_from_which_it_shows(name: str) -> None:
    small, words = _reduced(name)
    assert max(size(leaf.shape) for leaf in small.leaves) == CASES[name][1]
    assert words == CASES[name][2]


@pytest.mark.parametrize("threshold", [1, 2, 3, 17, 33, 64, 65, 100, 129, 999, 1000])
def test_bisecting_finds_the_threshold_in_few_runs(threshold: int) -> None:
    asked = []

    def keeps(n: int) -> bool:
        asked.append(n)
        return n >= threshold

    assert shrunk(1000, keeps) == threshold
    assert len(asked) <= 30
    assert len(set(asked)) == len(asked)


def test_a_length_changes_in_all_leaves_attributes_and_gradients() -> None:
    program = program_from_text(
        "x0 = leaf(pattern(3, 40))\nx1 = leaf(pattern(40))\nx2 = mul(x0, x1)\n"
        "x3 = reshape(x2, shape=(120,))\n"
        "x4, x5 = split(x3, axis=0, sizes=(1, 119))\n"
        "x6 = get_item(x5, index=(('list', (0, 118, 0)),))\n"
        "backward(x5, gradient=pattern(119))"
    )
    smaller = with_length(program, 40, 30)
    assert smaller is not None
    assert str(smaller) == (
        "x0 = leaf(pattern(3, 30))\nx1 = leaf(pattern(30))\nx2 = mul(x0, x1)\n"
        "x3 = reshape(x2, shape=(90,))\n"
        "x4, x5 = split(x3, axis=0, sizes=(1, 89))\n"
        "x6 = get_item(x5, index=(('list', (0, 88, 0)),))\n"
        "backward(x5, gradient=pattern(89))"
    )


def test_nothing_is_said_of_usual_sizes() -> None:
    program = program_from_text("x0 = leaf([3.0, 2.0])\nx1 = mul(x0, x0)\nbackward(x1)")
    assert size_condition(program, lambda other: True) == ""
