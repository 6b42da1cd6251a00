"""Programs are read back from the text in which they are shown."""

from __future__ import annotations

import pytest

from parity.generate.profiles import PROFILES
from parity.language import program as pr
from parity.language.table import keywords
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
        ("x0 = 3.0", "expected a name, not '3.0'"),
        ("x0", "expected a call"),
        (X + "x1 = add(x0, x1)", "there is no value x1 yet"),
        (X + "x1 = frob(x0)", "there is no operation 'frob'"),
        (X + "x1 = pow(x0)", "takes the attributes exponent"),
        (X + "backward(x0, gradient=__import__('os'))", "is no statement"),
        (X + "backward(x0, gradient=[1.0, zero])", "is no statement"),
        (X + "backward()", "is no statement"),
        (X + "x0.backward()", "'.backward()' at column 3"),
        (X + "del x1", "there is no value x1 yet"),
        (X + "backward(x0); backward(x0)", "is no statement"),
        ("", "a program needs a leaf"),
        # What was read as something else, or not at all.
        ("x0 = leaf(3.0, requires_grad='yes')", "requires_grad is 'yes', not true or false"),
        (X + "backward(x0, retain_graph='x')", "retain_graph is 'x', not true or false"),
        (X + "x1 = neg(x0)\nx2 = neg(x0)\ndel x1, x2", "expected the end of the line, not ','"),
        (X + X, "there is a value 'x0' already"),
        (X + "x1 = neg(x0)\nx1 = neg(x0)", "there is a value 'x1' already"),
        (X + "x1, x2 = neg(x0)", "it defines 1 values, and 2 names are given"),
        (X + "x1 = backward(x0)", "it defines 0 values, and 1 names are given"),
        (X + "neg(x0)", "it defines 1 values, and 0 names are given"),
        (X + "x1 = neg(x0)\nx2 = leaf(1.0)", "leaves come before statements"),
        (X + "backward(x0, x0)", "backward takes 1 arguments without a name, not 2"),
        (X + "backward(x0, retain_graph=True, retain_graph=False)", "'retain_graph' is there twic"),
        (X + "x1 = detach(x0, keep=True)", "unknown field 'keep'"),
        (X + "x1 = detach(x0)  # under no_grad", "unknown field 'no_grad'"),
        ("x0 = leaf(not 3.0)", "expected ',', not '3.0'"),
        ("x0 = leaf(~3.0)", "'~3.0)' at column 11"),
        ("x0 = leaf([True])", "values[0] is True, not a number"),
        ("x0 = leaf(['1.5'])", "values[0] is '1.5', not a number"),
        ("x0 = leaf([1.0, [2.0]])", "values[1] is [2.0], not a number"),
        ("x0 = leaf([[1.0], [2.0, 3.0]])", "rows of an array have different lengths"),
        # What took the memory or the stack, or was a traceback.
        ("x0 = leaf(zeros(99999999999))", "shape[0] is 99999999999, not a length"),
        ("x0 = leaf(zeros(10000, 10000, 10000, 0))", "more than 1,048,576 elements"),
        (f"x0 = leaf({'9' * 400})", "is beyond all floats"),
        (f"x0 = leaf({'[' * 900}{']' * 900})", "nested more than 32 deep"),
        (X + f"x1 = pow(x0, exponent={'(' * 900}{')' * 900})", "nested more than 32 deep"),
        (X + "x1 = sum(x0, axis={}, keepdims=False)", "'{}, keepdims=False)' at column 19"),
        (X + "x1 = sum(x0, axis=99999999999999999999, keepdims=False)", "sum does not apply"),
        (X + "x1 = broadcast_to(x0, shape=(9999, 9999))", "value 1: shape (9999, 9999) has more"),
        ("x0 = leaf(3.0)\x00", "at column 15"),
        (X + "\n".join(f"x{i + 1} = neg(x{i})" for i in range(10_001)), "at most 10000 are run"),
        ("x" * 5_000_000, "5,000,000 characters, and at most 4,194,304 are read"),
        ("x" * 4_000_000, "expected a call"),
    ],
)
def test_what_makes_no_sense_is_an_error(text: str, words: str) -> None:
    with pytest.raises(pr.ProgramError) as caught:
        program_from_text(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_values_may_be_written_in_other_ways() -> None:
    case = program_from_text(
        "x0 = leaf([1, +2., .5, -1e-3], float32)\n"
        "x1 = sum(x0, axis=[0], keepdims=False)\nx2 = neg(x1)"
    )
    assert case.leaves[0].values == (1.0, 2.0, 0.5, -1e-3)
    assert case.statements[0] == pr.Apply("sum", (0,), (("axis", (0,)), ("keepdims", False)))


def test_values_together_have_a_limit() -> None:
    wide = "x0 = leaf(3.0)\n" + "".join(
        f"x{i + 1} = broadcast_to(x0, shape=(1000, 1000))\n" for i in range(5)
    )
    with pytest.raises(pr.ProgramError, match="more than 4,194,304 elements together"):
        program_from_text(wide)
    assert program_from_text("\n".join(wide.splitlines()[:5]))


@pytest.mark.parametrize(
    ("index", "shape", "python"),
    [
        ("1", (2,), 1),
        ("('slice', 1, None, None)", (1, 2), slice(1, None, None)),
        ("'newaxis'", (1, 2, 2), None),
        ("(1,)", (2,), (1,)),
    ],
)
def test_an_index_may_be_one_item_in_no_tuple(
    index: str, shape: tuple[int, ...], python: object
) -> None:
    program = program_from_text(
        f"x0 = leaf([[3.0, 2.0], [4.0, 5.0]])\nx1 = get_item(x0, index={index})"
    )
    assert program_from_text(str(program)) == program
    assert program.infos[1].shape == shape
    (apply,) = program.statements
    assert keywords("get_item", apply.attrs)["index"] == python  # type: ignore[union-attr]
