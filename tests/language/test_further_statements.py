"""Blocks, operations in place and functions of the user as text and JSON."""

from __future__ import annotations

import json

import pytest

from parity.language import program as pr
from parity.language.json_format import dumps, program_from_json
from parity.language.lowering import is_plain, lowered
from parity.language.text_format import program_from_text

TEXT = """\
x0 = leaf([3.0, 2.0])
x1 = mul(x0, x0)
with no_grad():
    x2 = add(x1, x0)
    with enable_grad():
        x3 = mul(x0, x0)
    raise  # caught after the block
end
add_(x1, x0)
mul_scalar_(x1, c=2.0)
x4 = leafless(x0)
x5, x6 = user(product_and_sum, x1, x0)
detach_(x5)
set_item_(x6, x7, index=1)"""
FULL = TEXT.replace("x4 = leafless(x0)\n", "").replace("x5", "x4").replace("x6", "x5")
FULL = FULL.replace("set_item_(x5, x7, index=1)", "zero_(x3)\nbackward(x5, gradient=[1.0, 2.0])")


def program(*lines: str) -> pr.Program:
    return program_from_text("\n".join(lines))


def test_text_and_json_are_read_back() -> None:
    case = program_from_text(FULL)
    assert str(case) == FULL
    assert program_from_json(json.loads(dumps(case))) == case
    further = {pr.Enter, pr.Leave, pr.InPlace, pr.DetachInPlace, pr.User}
    assert {type(s) for s in case.statements} >= further


def test_operations_in_a_block_are_recorded_or_not() -> None:
    infos = program_from_text(FULL).infos
    assert [info.requires_grad for info in infos] == [True, True, False, True, False, True]


def test_what_is_open_at_the_end_is_no_error() -> None:
    case = program("x0 = leaf(3.0)", "with no_grad():", "x1 = neg(x0)")
    assert str(case).endswith("    x1 = neg(x0)")
    assert not case.infos[1].requires_grad


def test_a_constant_is_recorded_after_a_change_with_a_variable() -> None:
    lines = ("x0 = leaf(3.0)", "x1 = leaf(2.0, requires_grad=False)", "x2 = neg(x1)")
    assert not program(*lines).infos[2].requires_grad
    assert program(*lines, "mul_(x2, x0)").infos[2].requires_grad
    quiet = (*lines, "with no_grad():", "mul_(x2, x0)")
    assert not program(*quiet).infos[2].requires_grad


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("end", "no block is open"),
        ("raise", "no block is open"),
        ("add_(x2)", "takes 2 operands, not 1"),
        ("zero_(x2, x0)", "takes 1 operands, not 2"),
        ("add_(x2, x2)", "not changed by itself"),
        ("add_(x0, x2)", "is not broadcast to shape () in place"),
        ("mul_scalar_(x2)", "takes the attributes c"),
        ("mul_scalar_(x2, c='a')", "not a number"),
        ("mul_scalar_(x2, c=True)", "not a number"),
        ("set_item_(x2, x0, index=2)", "there is no item 2 of 2"),
        ("set_item_(x2, x0, index=True)", "there is no item True"),
        ("set_item_(x0, x1, index=0)", "has no items"),
        ("add_(x2, x3)", "in place"),
        ("detach_(x0)", "leaves are not detached"),
        ("x4 = user(cube, x2)", "cube"),
        ("x4 = user(square)", "takes 1 operands"),
        ("x4 = user(second_constant, x0, x2)", "one shape and dtype"),
        ("x4 = user(x2)", "square"),
        ("with training():", "no statement"),
        ("add_(x2, x9)", "x9"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, message: str) -> None:
    lines = ("x0 = leaf(3.0)", "x1 = leaf(2.0)", "x2 = leaf([1.0, 2.0])")
    with pytest.raises(pr.ProgramError, match=message.replace("(", r"\(").replace(")", r"\)")):
        program(*lines, "x3 = leaf([1.0, 2.0], float32)", line)


@pytest.mark.parametrize(
    "data",
    [
        {"do": "enter", "mode": "os.system"},
        {"do": "enter"},
        {"do": "leave", "raises": "yes"},
        {"do": "in_place", "op": "__import__", "target": 0},
        {"do": "in_place", "op": "add_", "target": "x", "inputs": []},
        {"do": "user", "function": "lambda: 1", "inputs": [0]},
    ],
)
def test_bad_data_are_refused(data: dict[str, object]) -> None:
    leaf = {"shape": [], "values": [3.0]}
    with pytest.raises(pr.ProgramError):
        program_from_json({"format": 1, "leaves": [leaf], "statements": [data]})


def test_a_lowered_program_has_operations_alone() -> None:
    low = lowered(program_from_text(FULL))
    assert is_plain(low)
    low.validate()
    plain = program("x0 = leaf(3.0)", "x1 = neg(x0)", "backward(x1)")
    assert lowered(plain) is plain


def test_a_change_under_no_grad_keeps_the_place_in_the_graph() -> None:
    case = program(
        "x0 = leaf(3.0)", "with no_grad():", "mul_scalar_(x0, c=2.0)", "end", "backward(x0)"
    )
    assert str(lowered(case)).splitlines()[1:] == [
        "x1 = mul_scalar(x0, c=2.0)  # under no_grad",
        "x2 = sub(x1, x0)  # under no_grad",
        "x3 = detach(x2)",
        "x4 = add(x0, x3)",
        "backward(x4)",
    ]
