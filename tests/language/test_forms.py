"""Forms of operations and earlier calls in programs: as text, as JSON, and what is refused."""

from __future__ import annotations

import json

import pytest

from parity.engines.isolation.codec import program_head, read_program
from parity.language.json_format import dumps, program_from_json
from parity.language.program import ProgramError
from parity.language.text_format import program_from_text

TEXT = """\
x0 = leaf([3.0, 2.0])
x1 = mul(x0, x0)  # form function
x2 = mul(x1, x0)  # form copy, under no_grad
backward(x1, gradient=[1.0, 2.0])
x0 = earlier([1.0, 2.0], requires_grad=False)
x0 = earlier([4.0, 2.0])"""


def test_forms_and_earlier_calls_are_read_back() -> None:
    program = program_from_text(TEXT)
    assert str(program) == TEXT
    assert program_from_json(json.loads(dumps(program))) == program
    assert read_program(json.loads(json.dumps(program_head(program)))) == program
    assert [call[0].requires_grad for call in program.calls] == [False, True]


def test_programs_without_them_are_written_as_before() -> None:
    text = dumps(program_from_text("x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)"))
    assert "form" not in text.replace('"format"', "")
    assert "calls" not in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("form function", "form funktion", "did you mean function"),
        ("x0 = earlier([4.0, 2.0])", "x1 = earlier([4.0, 2.0])", "expected leaf 0"),
        ("x0 = earlier([4.0, 2.0])", "x0 = earlier(4.0)", "other shapes"),
        ("mul(x0, x0)  # form function", "mul(x0, x0)  # form square-as-product", "has no form"),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(ProgramError, match=says):
        program_from_text(TEXT.replace(old, new))


def test_an_earlier_call_has_all_leaves() -> None:
    text = "x0 = leaf(3.0)\nx1 = leaf(2.0)\nx2 = mul(x0, x1)\nx0 = earlier(1.0)"
    with pytest.raises(ProgramError, match="all leaves"):
        program_from_text(text)
