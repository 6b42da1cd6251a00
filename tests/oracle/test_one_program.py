"""``parity.run``: one program on both sides, its text, and its drawing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

import parity
from parity._util.errors import UsageError
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.operations import OffByABillionth
from parity.diagnose.defects.traversal import GraphKept, Overwrite
from parity.engines import Unsupported
from parity.engines.execute import execute
from parity.engines.trace import Observation, Trace
from parity.language.text_format import program_from_text
from parity.oracle.drawing import drawing
from parity.oracle.side_by_side import side_by_side, texts_of
from tests.helpers.programs import TORCH

TWICE = """
x0 = leaf([3.0, 1.0])
x1 = add(x0, x0)
x2 = sum(x1, axis=None, keepdims=False)
backward(x2)
cleargrad(x0)
"""


def test_both_sides_agree() -> None:
    result = parity.run(TWICE, "dezero")
    assert result.ok
    assert result.finding is None
    assert str(result).splitlines()[-1] == "agree"
    assert "differs" not in str(result)


def test_both_sides_differ_where_it_is_said() -> None:
    result = parity.run(TWICE, Overwrite)
    assert not result.ok
    assert str(result).splitlines() == [
        f"{'':39}  overwrite 1  {result.names[1]}",
        "x0 = leaf([3.0, 1.0])",
        f"{'x1 = add(x0, x0)':39}  [6. 2.]      [6. 2.]",
        "x2 = sum(x1, axis=None, keepdims=False)  8.0          8.0",
        "backward(x2)",
        f"{'  x0.grad':39}  [1. 1.]      [2. 2.]       <- differs",
        "cleargrad(x0)",
        f"{'  x0.grad':39}  None         None",
        "",
        "differ at `backward(x2)`: gradient: a gradient differs",
    ]


def test_a_program_an_engine_and_a_reference_may_be_objects() -> None:
    program = program_from_text(TWICE)
    assert not parity.run(program, Overwrite(), TORCH).ok
    assert parity.run(program, TapeEngine(), "exact").names[1].startswith("exact")


def test_what_is_raised_is_said_in_full() -> None:
    text = "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)\nbackward(x1)\nx2 = neg(x0)"
    result = parity.run(text, GraphKept)
    assert not result.ok
    lines = str(result).splitlines()
    assert any("raises" in line and "no exception" in line for line in lines)
    assert any(line.startswith(f"{result.names[1]} raised RuntimeError: ") for line in lines)
    assert lines[-1] == "differ at `backward(x1)`: no-exception: PyTorch raised, the engine did not"
    assert parity.run(text, "dezero").ok


def test_each_leaf_and_each_output_has_a_line() -> None:
    text = "x0 = leaf([3.0, 2.0])\nx1 = leaf(1.0)\nx2, x3 = split(x0, axis=0, sizes=(1, 1))"
    lines = str(parity.run(text, "dezero")).splitlines()
    assert [line.split("  ")[0] for line in lines if line.startswith("x")] == text.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  x")] == ["x2", "x3"]


def test_small_differences_are_shown_with_more_digits() -> None:
    result = parity.run("x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)", OffByABillionth)
    assert not result.ok
    assert "6.000000006" in str(result)


def test_rounding_is_no_difference() -> None:
    text = "x0 = leaf([0.1, 0.7, 1.3])\nx1 = tanh(x0)\nx2 = mean(x1, axis=0, keepdims=False)"
    assert parity.run(f"{text}\nbackward(x2)", TapeEngine).ok


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "x0 = leaf(3.0)\nx1 = ad(x0, x0)",
            "line 2, .*there is no operation 'ad': did you mean pad or add",
        ),
        ("x0 = leaf(3.0", "the program: line 1"),
        ("", "the program: a program needs a leaf"),
    ],
)
def test_a_text_that_is_no_program_is_one_line(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parity.run(text, "dezero")


def test_what_the_engine_lacks_is_one_line() -> None:
    class Never(TapeEngine):
        name = "never"

        def backward(self, t: Any, gradient: Any = None, **flags: Any) -> None:
            raise Unsupported("backwards")

    with pytest.raises(UsageError, match="never 1 does not support the program: backwards"):
        parity.run(TWICE, Never)
    with pytest.raises(UsageError, match=r"micrograd \S+ has no operation sum"):
        parity.run(TWICE, "micrograd")


def test_arrays_of_other_dtypes_and_shapes_have_other_texts() -> None:
    assert texts_of(np.array(1.0), np.array([1.0])) == ("1.0", "[1.]")
    narrow, wide = texts_of(np.array(1.0, "float32"), np.array(1.0))
    assert (narrow, wide) == ("1.0 (float32 ())", "1.0 (float64 ())")
    assert texts_of(None, np.array(0.0)) == ("None", "0.0")


def test_the_page_has_a_table_and_a_drawing_and_escapes() -> None:
    class Hostile(Overwrite):
        name = "<script>"

    page = parity.run(TWICE, Hostile)._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>[1. 1.]</b>" in page
    assert page.count("<svg") == 1


def test_the_drawing_has_a_box_for_each_value_and_both_numbers_where_they_differ() -> None:
    program = program_from_text(TWICE.replace("cleargrad(x0)", ""))
    svg = drawing(program, execute(program, Overwrite()), execute(program, TORCH))
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    groups = root.findall(f"{space}g")
    assert len(groups) == 3
    assert [group.get("class") for group in groups] == ["wrong", None, None]
    assert len(root.findall(f"{space}line")) == 3
    assert "grad [1. 1.] != [2. 2.]" in svg


def test_a_large_program_is_not_drawn() -> None:
    lines = ["x0 = leaf(3.0)", *(f"x{i + 1} = neg(x{i})" for i in range(80))]
    program = program_from_text("\n".join(lines))
    trace = execute(program, TapeEngine())
    assert drawing(program, trace, trace) == ""


def test_nothing_is_marked_where_both_agree() -> None:
    program = program_from_text("x0 = leaf(2.0)\nx1 = div(x0, x0)\nbackward(x1)")
    ours, theirs = (Trace([Observation(1, "grad", 0, np.array(left))]) for left in (1.1e-16, 0.0))
    agreeing = side_by_side(program, ("ours", "theirs"), ours, theirs, rtol=float("inf"))
    assert not any(row.differs for row in agreeing.rows)
    assert any(row.differs for row in side_by_side(program, ("a", "b"), ours, theirs).rows)
