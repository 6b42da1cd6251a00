"""Statements of the tape: text, JSON, and what makes no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from parity.engines.isolation import codec
from parity.language import program as pr
from parity.language.json_format import program_from_json, program_to_json
from parity.language.text_format import program_from_text

EVERY = """\
x0 = leaf([3.0, 2.0], float32)
x1 = leaf([1.0, 2.0], requires_grad=False)
x2 = mul(x0, x0)
h0 = hook(x2, kind='double')
h1 = hook(x0, kind='shift')
retain_grad(x2)
set_grad(x0, gradient=[1.0, 2.0])
backward_many([x2, x0], gradients=[[1.0, 2.0], [3.0, 4.0]], retain_graph=True, inputs=[x0])
remove(h0)
x3 = grad([x2], [x0], gradients=[[1.0, 2.0]], retain_graph=True)
x4, x5 = grad([x2], [x0, x2], gradients=[[1.0, 2.0]], allow_unused=True)"""


def test_text_is_read_back() -> None:
    assert str(program_from_text(EVERY)) == EVERY


def test_json_and_messages_of_processes_are_read_back() -> None:
    case = program_from_text(EVERY)
    assert program_from_json(json.loads(json.dumps(program_to_json(case)))) == case
    assert codec.read_program(json.loads(json.dumps(codec.program_head(case)))) == case


def test_gradients_take_the_dtype_and_form_of_their_values() -> None:
    case = program_from_text(EVERY)
    many = case.statements[5]
    assert isinstance(many, pr.BackwardMany)
    assert [g and g.dtype for g in many.gradients] == ["float32", "float32"]
    empty = "x0 = leaf(zeros(0, 3))\nbackward_many([x0], gradients=[zeros(0, 3)])"
    assert str(program_from_text(empty)) == empty


#: Lines after "x0 = leaf([3.0, 2.0]); x1 = leaf(2.0, requires_grad=False); x2, x3 = split(x0)".
WRONG = {
    "h0 = hook(x1, kind='record')": "no hook",
    "h0 = hook(x2, kind='record')": "one of several results",
    "x4 = hook(x0, kind='record')": "h0, h1",
    "h0 = hook(x0, kind='square')": "kind",
    "h0 = hook(x0)": "kind",
    "h0 = hook(x9, kind='record')": "no value x9",
    "h0 = hook(x0, kind='record')\nh0 = hook(x0, kind='record')": "hook 0 already",
    "remove(h0)": "no hook 0",
    "remove(x0)": "h0, h1",
    "remove()": "h0, h1",
    "retain_grad(x1)": "no retain_grad",
    "retain_grad()": "1 arguments",
    "set_grad(x0, gradient=1.0)": "shape and dtype",
    "set_grad(x1, gradient=1.0)": "does not require",
    "set_grad(x2, gradient=[1.0])": "no leaf 2",
    "set_grad(x0, gradient=x0)": "gradient",
    "backward_many([x0])": "no implied gradient",
    "backward_many([], gradients=[])": "needs a root",
    "backward_many(x0, gradients=[[1.0, 1.0]])": "roots",
    "backward_many([x1])": "does not require",
    "backward_many([x2, x3], gradients=[[1.0]])": "1 gradients for 2 roots",
    "backward_many([x2], gradients=[[1.0], [2.0]])": "2 gradients for 1 roots",
    "backward_many([x2], inputs=[])": "at least one",
    "backward_many([x2], inputs=[x0, x0])": "distinct",
    "backward_many([x2], inputs=[x2])": "no leaf 2",
    "backward_many([x2], inputs=[x1])": "does not surely require",
    "x4 = grad([x2], [x0, x0])": "distinct",
    "x4 = grad([x2], [x3])": "one of several results",
    "x4, x5 = grad([x2], [x0])": "defines 1 values",
    "x4 = grad([x2], [x0], create_graph=1)": "create_graph",
    "x4 = grad([x2])": "2 arguments",
    "x4 = neg(x2)\nh0 = hook(x4, kind='record')\nx5 = grad([x4], [x4])": "that has a hook",
    "h0 = hook(x0, kind='record')\nx4 = grad([x2], [x0], create_graph=True)": "not recorded here",
    "x4 = neg(x2)\nretain_grad(x4)\nbackward(x4, create_graph=True)": "not recorded here",
    "x4 = grad([x2], [x0], create_graph=True)\nx5 = neg(x2)\nretain_grad(x5)": "recorded before",
    "x4 = neg(x2)\nx5 = grad([x4], [x0], create_graph=True)\nx6 = grad([x4], [x4])": "only leaves",
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_makes_no_sense_is_refused(lines: str) -> None:
    start = "x0 = leaf([3.0, 2.0])\nx1 = leaf(2.0, requires_grad=False)\n"
    start += "x2, x3 = split(x0, axis=0, sizes=(1, 1))\n"
    with pytest.raises(pr.ProgramError, match=WRONG[lines]):
        program_from_text(start + lines)


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "hook", "value": 0, "kind": "record", "hook": -1},
        {"do": "hook", "value": 0, "kind": "record"},
        {"do": "remove", "hook": "0"},
        {"do": "grad", "roots": [0], "inputs": None},
        {"do": "grad", "roots": 0, "inputs": [0]},
        {"do": "backward_many", "roots": [0], "gradients": [1.0]},
        {"do": "set_grad", "leaf": 0},
    ],
)
def test_json_is_checked(fields: dict[str, Any]) -> None:
    leaf = {"shape": [], "values": [1.0], "dtype": "float64", "requires_grad": True}
    with pytest.raises(pr.ProgramError):
        program_from_json({"format": 1, "leaves": [leaf], "statements": [fields]})


def test_hooks_get_the_numbers_of_their_order() -> None:
    case = program_from_text(
        "x0 = leaf(1.0)\nh4 = hook(x0, kind='record')\nh2 = hook(x0, kind='double')\nremove(h4)"
    )
    ordered = pr.Program(case.leaves, pr.with_hooks_in_order(case.statements))
    assert str(ordered).splitlines()[1:] == [
        "h0 = hook(x0, kind='record')",
        "h1 = hook(x0, kind='double')",
        "remove(h0)",
    ]
