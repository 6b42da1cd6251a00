"""Layouts: the same values, other strides; in JSON, text and scripts, and copies that keep them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from parity.engines.arrays import copied
from parity.language.json_format import dumps, program_from_json, program_to_json
from parity.language.layouts import LAYOUTS, expression_of, laid_out
from parity.language.program import Leaf, ProgramError
from parity.language.text_format import program_from_text
from parity.oracle.one_program import run

SHAPES = ((), (3,), (2, 3), (0,), (2, 1, 3), (1, 1))


def _array(shape: tuple[int, ...], layout: str) -> Any:
    array = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    if layout == "broadcast" and shape and shape[0]:
        return np.broadcast_to(array[:1], shape).copy()
    return array


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_changes_no_value(layout: str, shape: tuple[int, ...]) -> None:
    plain = _array(shape, layout)
    made = laid_out(plain, layout)
    text = f"np.array({plain.tolist()!r}).reshape({shape})"
    in_script = eval(expression_of(text, plain, layout), {"np": np})
    for array in (made, in_script, copied(made)):
        assert type(array) is np.ndarray
        assert array.shape == shape
        assert np.array_equal(array, plain)
    if plain.size:
        assert in_script.strides == made.strides
    assert not np.shares_memory(copied(made), made)


@pytest.mark.parametrize(
    ("layout", "strides"),
    [
        *(("C", (24, 8)), ("F", (8, 16)), ("strided", (48, 16)), ("reversed", (-24, -8))),
        *(("broadcast", (0, 8)), ("read-only", (24, 8))),
    ],
)
def test_strides(layout: str, strides: tuple[int, ...]) -> None:
    made = laid_out(_array((2, 3), layout), layout)
    assert made.strides == strides
    assert copied(made).strides == strides
    assert made.flags.writeable is LAYOUTS[layout].writeable


TEXT = """\
unread('values')
x0 = leaf([[1.0, 2.0], [3.0, 4.0]], float32, layout='F')
x1 = leaf([[1.0, 2.0], [1.0, 2.0]], float32, layout='broadcast', requires_grad=False)
x2 = mul(x0, x1)
read(x2)
backward(x2, gradient=[[1.0, 2.0], [3.0, 4.0]], float32, layout='reversed')"""


def test_what_is_unread_and_layouts_survive_text_and_json() -> None:
    program = program_from_text(TEXT)
    assert str(program) == TEXT
    assert program_from_json(json.loads(dumps(program))) == program


def test_both_sides_are_shown_beside_their_lines() -> None:
    shown = str(run(program_from_text(TEXT), "dezero")).splitlines()
    assert shown[1].startswith("x0 = leaf(")
    assert "read(x2)" in next(line for line in shown if "[[1." in line and "leaf" not in line)
    assert shown[-1] == "agree"


def test_programs_without_them_are_written_as_before() -> None:
    data = program_to_json(program_from_text("x0 = leaf(3.0)\nx1 = neg(x0)"))
    assert data.keys() == {"format", "leaves", "statements"}
    assert data["leaves"] == [
        {"shape": [], "values": [3.0], "dtype": "float64", "requires_grad": True}
    ]
    assert program_from_json(data).unread == ""
    assert program_from_json(data).leaves == (Leaf((), (3.0,)),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("unread('some')\nx0 = leaf(3.0)", "unread is one of values, all"),
        ("x0 = leaf(3.0)\nunread('all')", "what is unread comes first, once"),
        ("x0 = leaf(3.0, layout='G')", "layout is 'G'"),
        ("x0 = leaf(3.0)\nread(x1)", "there is no value x1"),
        ("x0 = leaf(3.0)\nx1 = neg(x0)\ndel x1\nread(x1)", "value 1 was dropped"),
        ("unread('all')\nx0 = leaf(3.0)\nbackward(x0)\nzero_grad(x0)", "zero_grad reads gradients"),
        (
            "x0 = leaf(3.0)\nbackward(x0, gradient=2.0, layout='read-only')\nchange_gradient()",
            "there is no gradient array to change",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(ProgramError, match=says):
        program_from_text(text)
