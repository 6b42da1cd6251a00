"""Programs are read back from the text in which they are shown."""

from __future__ import annotations

import pytest

from parity.generate.profiles import PROFILES
from parity.language import program as pr
from parity.language.text_format import program_from_text
from tests.helpers.programs import TORCH, leaf, program, sample

X = "x0 = leaf(3.0)\n"


@pytest.mark.parametrize("profile", PROFILES)
def test_text_reads_back(profile: str) -> None:
    for case in sample(profile, 60, TORCH):
        again = program_from_text(str(case))
        assert str(again) == str(case)
        if all(one.dtype == "float64" for one in case.leaves):  # others are shown as rounded
            assert again == case


def test_what_has_no_values_and_what_is_no_number() -> None:
    case = program(
        [leaf([[], []]), leaf([float("nan"), float("-inf"), 0.5], "float32", requires_grad=False)],
        pr.Backward(0, pr.Constant((2, 0), (), "float64"), retain_graph=True),
    )
    assert str(program_from_text(str(case))) == str(case)


def test_text_may_be_indented_and_have_empty_lines() -> None:
    case = program_from_text("\n    x0 = leaf(3.0)\n\n    backward(x0)\n")
    assert case == program([leaf(3.0)], pr.Backward(0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x0 = leaf(", "leaf("),
        ("x0 = 3.0", "expected a call"),
        (X + "x1 = add(x0, x1)", "there is no value x1 yet"),
        (X + "x1 = frob(x0)", "there is no operation 'frob'"),
        (X + "x1 = pow(x0)", "takes the attributes exponent"),
        (X + "backward(x0, gradient=__import__('os'))", "is no statement"),
        (X + "backward(x0, gradient=[1.0, zero])", "is no statement"),
        (X + "backward()", "is no statement"),
        (X + "x0.backward()", "expected a name"),
        (X + "del x1", "there is no value x1 yet"),
        (X + "backward(x0); backward(x0)", "is no statement"),
        ("", "a program needs a leaf"),
    ],
)
def test_what_makes_no_sense_is_an_error(text: str, words: str) -> None:
    with pytest.raises(pr.ProgramError) as caught:
        program_from_text(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
