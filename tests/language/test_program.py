"""Programs as data: JSON there and back, validation, text."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.generate.profiles import PROFILES
from parity.language import program as pr
from parity.language.json_format import dumps, program_from_json, program_to_json
from tests.helpers.programs import apply, constant, leaf, program, sample, steady


@pytest.mark.parametrize("profile", PROFILES)
def test_generated_programs_survive_json(profile: str) -> None:
    for case in sample(profile, 50):
        text = dumps(case)
        again = program_from_json(json.loads(text))
        assert again == case
        assert hash(again) == hash(case)
        assert dumps(again) == text
        assert str(again) == str(case)


@pytest.mark.parametrize("profile", PROFILES)
def test_generated_programs_print_a_line_a_leaf_and_statement(profile: str) -> None:
    for case in sample(profile, 20):
        assert len(str(case).splitlines()) == len(case.leaves) + len(case.statements)


EVERY_STATEMENT = program(
    [leaf([2.0, 3.0]), leaf(1.5, "float32", requires_grad=False)],
    apply("mul", 0, 0),
    apply("sum", 2, axis=None, keepdims=False),
    pr.Detach(3),
    pr.Backward(3, constant(2.0), retain_graph=True, create_graph=True),
    pr.TakeGrad(0),
    apply("split", 0, axis=0, sizes=(1, 1)),
    apply("get_item", 0, index=(("slice", None, 1, None), "newaxis")),
    apply("neg", 0, no_grad=True),
    pr.Clear((0, 1)),
    pr.ChangeGradient(),
    pr.Zero((0,)),
    pr.ChangeGrad(0),
    pr.Drop(2),
)


def test_every_statement_survives_json() -> None:
    assert {type(s) for s in EVERY_STATEMENT.statements} == set(pr.STATEMENTS.values())
    assert program_from_json(json.loads(dumps(EVERY_STATEMENT))) == EVERY_STATEMENT


def test_text_of_every_statement() -> None:
    assert str(EVERY_STATEMENT).splitlines() == [
        "x0 = leaf([2.0, 3.0])",
        "x1 = leaf(1.5, float32, requires_grad=False)",
        "x2 = mul(x0, x0)",
        "x3 = sum(x2, axis=None, keepdims=False)",
        "x4 = detach(x3)",
        "backward(x3, gradient=2.0, retain_graph=True, create_graph=True)",
        "x5 = grad_of(x0)",
        "x6, x7 = split(x0, axis=0, sizes=(1, 1))",
        "x8 = get_item(x0, index=(('slice', None, 1, None), 'newaxis'))",
        "x9 = neg(x0)  # under no_grad",
        "cleargrad(x0, x1)",
        "change_gradient()  # the array passed to backward: * 2 + 1",
        "zero_grad(x0)",
        "change_grad(x0)  # in place: * 2 + 1",
        "del x2",
    ]
    assert str(EVERY_STATEMENT) == str(EVERY_STATEMENT)


def test_text_of_arrays_without_elements() -> None:
    case = program([leaf([]), leaf([[], []], "float32")])
    assert str(case) == "x0 = leaf([])\nx1 = leaf(zeros(2, 0), float32)"


def test_hypothesis_shows_a_program_as_text() -> None:
    shown: list[str] = []

    class Printer:
        text = shown.append

    EVERY_STATEMENT._repr_pretty_(Printer(), False)
    assert shown == ["\n" + str(EVERY_STATEMENT)]


def test_nan_and_infinity_survive_json() -> None:
    values = [math.nan, math.inf, -math.inf, -0.0, 1.0]
    case = program([leaf(values)], pr.Backward(0, constant(values[::-1])))
    text = dumps(case)
    again = program_from_json(json.loads(text))
    assert dumps(again) == text
    np.testing.assert_array_equal(again.leaves[0].array(), np.array(values))
    assert np.signbit(again.leaves[0].array()[3])
    assert {type(value) for value in again.leaves[0].values} == {float}
    statement = again.statements[0]
    assert isinstance(statement, pr.Backward)
    assert statement.gradient is not None
    np.testing.assert_array_equal(statement.gradient.array(), np.array(values[::-1]))
    assert str(again).startswith("x0 = leaf([nan, inf, -inf, -0.0, 1.0])\n")


def test_equal_programs_have_equal_json() -> None:
    """Whole numbers without a point, as people and other JSON writers spell them."""
    data = program_to_json(program([leaf(1.0)], apply("neg", 0), pr.Backward(1, constant(2.0))))
    other = copy.deepcopy(data)
    other["leaves"][0]["values"] = [1]
    other["statements"][1]["gradient"]["values"] = [2]
    first, second = program_from_json(data), program_from_json(other)
    assert first == second
    assert dumps(first) == dumps(second)


LEAF = {"shape": [2], "values": [1.0, 2.0], "dtype": "float64", "requires_grad": True}
ONE = {"shape": [2], "values": [1.0, 1.0], "dtype": "float64"}
SQUARE = {"do": "apply", "op": "mul", "inputs": [0, 0]}


def _data(*statements: Any, **changes: Any) -> dict[str, Any]:
    return {"format": 1, "leaves": [LEAF], "statements": list(statements), **changes}


def _op(op: Any, *inputs: Any, **attrs: Any) -> dict[str, Any]:
    return {
        "do": "apply",
        "op": op,
        "inputs": list(inputs),
        "attrs": list(map(list, attrs.items())),
    }


def _back(**changes: Any) -> dict[str, Any]:
    return {"do": "backward", "value": 0, "gradient": ONE, **changes}


#: What is wrong -> the data, and what the message must say.
MISTAKES: dict[str, tuple[Any, list[str]]] = {
    "format version": (_data(format=2), ["format is 2, not 1"]),
    "format is text": (_data(format="1"), ["format is '1'"]),
    "no format": ({"leaves": [LEAF], "statements": []}, ["format"]),
    "no leaves": (_data(leaves=[]), ["leaf"]),
    "leaves missing": ({"format": 1, "statements": []}, ["leaves"]),
    "statements missing": ({"format": 1, "leaves": [LEAF]}, ["statements"]),
    "no object": ([1, 2], ["not a program"]),
    "nothing": (None, ["not a program"]),
    "unknown operation": (_data(SQUARE, _op("frob", 0)), ["statement 1", "'frob'"]),
    "unknown statement": (_data(SQUARE, {"do": "frob"}), ["statement 1", "'frob'"]),
    "no keyword": (_data(SQUARE, {"value": 0}), ["statement 1", "do"]),
    "statement is a number": (_data(SQUARE, 7), ["statement 1"]),
    "unknown field": (_data(SQUARE, _back(extra=1)), ["statement 1", "'extra'"]),
    "missing field": (_data(SQUARE, {"do": "detach"}), ["statement 1", "value"]),
    "unknown field of a leaf": (_data(leaves=[{**LEAF, "name": "a"}]), ["leaf 0", "'name'"]),
    "no value yet": (_data(SQUARE, _op("neg", 2)), ["statement 1 (apply)", "2"]),
    "negative value": (_data(_op("neg", -1)), ["statement 0 (apply)", "-1"]),
    "value is text": (_data(_op("neg", "0")), ["statement 0 (apply)", "'0'"]),
    "dropped value": (
        _data(SQUARE, {"do": "drop", "value": 1}, _op("neg", 1)),
        ["statement 2 (apply)", "1", "dropped"],
    ),
    "dropped twice": (
        _data(SQUARE, {"do": "drop", "value": 1}, {"do": "drop", "value": 1}),
        ["statement 2 (drop)", "dropped"],
    ),
    "dropped leaf": (_data({"do": "drop", "value": 0}), ["statement 0 (drop)", "leaves"]),
    "leaf out of range, clear": (
        _data(SQUARE, {"do": "cleargrad", "leaves": [0, 1]}),
        ["statement 1 (cleargrad)", "leaf 1"],
    ),
    "leaf out of range, zero": (
        _data({"do": "zero_grad", "leaves": [-1]}),
        ["statement 0 (zero_grad)", "leaf -1"],
    ),
    "leaf out of range, change": (
        _data({"do": "change_grad", "leaf": 3}),
        ["statement 0 (change_grad)", "leaf 3"],
    ),
    "leaf out of range, grad_of": (
        _data({"do": "grad_of", "leaf": 3}),
        ["statement 0 (grad_of)", "leaf 3"],
    ),
    "attribute missing": (_data(_op("sum", 0, axis=None)), ["statement 0 (apply)", "keepdims"]),
    "attribute too many": (_data(_op("neg", 0, axis=0)), ["statement 0 (apply)", "attributes"]),
    "attribute of another": (_data(_op("sum", 0, shape=[2])), ["statement 0", "axis, keepdims"]),
    "attribute does not fit": (
        _data(_op("reshape", 0, shape=[3])),
        ["statement 0 (apply)", "reshape"],
    ),
    "attribute is no number": (_data(_op("mul_scalar", 0, c="two")), ["statement 0 (apply)"]),
    "exponent is null": (_data(_op("pow", 0, exponent=None)), ["statement 0 (apply)"]),
    "keepdims is text": (
        _data(_op("sum", 0, axis=None, keepdims="yes")),
        ["statement 0 (apply)", "keepdims"],
    ),
    "axis twice": (_data(_op("sum", 0, axis=[0, 0], keepdims=False)), ["statement 0 (apply)"]),
    "negative lengths": (_data(_op("reshape", 0, shape=[-1, -2])), ["statement 0 (apply)"]),
    "two ellipses": (_data(_op("get_item", 0, index=["...", "..."])), ["statement 0 (apply)"]),
    "index of unknown form": (
        _data(_op("get_item", 0, index=[["foo", [0]]])),
        ["statement 0 (apply)"],
    ),
    "index is text": (_data(_op("get_item", 0, index=["foo"])), ["statement 0 (apply)"]),
    "too few operands": (_data(_op("mul", 0)), ["statement 0 (apply)", "2 operands, not 1"]),
    "too many operands": (_data(_op("neg", 0, 0)), ["statement 0 (apply)", "1 operands, not 2"]),
    "shapes do not fit": (
        _data(_op("add", 0, 1), leaves=[LEAF, {**LEAF, "shape": [3], "values": [1, 2, 3]}]),
        ["statement 0 (apply)", "(2,), (3,)"],
    ),
    "wrong number of values": (_data(leaves=[{**LEAF, "values": [1.0]}]), ["leaf 0", "1 values"]),
    "values are text": (_data(leaves=[{**LEAF, "values": ["a", "b"]}]), ["leaf 0"]),
    "values are null": (_data(leaves=[{**LEAF, "values": [None, None]}]), ["leaf 0"]),
    "values are nested": (_data(leaves=[{**LEAF, "values": [[1.0], [2.0]]}]), ["leaf 0"]),
    "a value beyond floats": (_data(leaves=[{**LEAF, "values": [10**400, 1]}]), ["leaf 0"]),
    "shape with negative lengths": (
        _data(leaves=[{**LEAF, "shape": [-1, -2]}]),
        ["leaf 0"],
    ),
    "shape of floats": (_data(leaves=[{**LEAF, "shape": [2.0]}]), ["leaf 0"]),
    "shape is an object": (
        _data(leaves=[{**LEAF, "shape": {}, "values": [1.0]}]),
        ["leaf 0"],
    ),
    "leaf of another dtype": (_data(leaves=[{**LEAF, "dtype": "int64"}]), ["leaf 0", "'int64'"]),
    "requires_grad is text": (_data(leaves=[{**LEAF, "requires_grad": "no"}]), ["leaf 0"]),
    "gradient of wrong length": (
        _data(_back(gradient={**ONE, "values": [1.0]})),
        ["statement 0 (backward)", "1 values"],
    ),
    "gradient of another dtype": (
        _data(_back(gradient={**ONE, "dtype": "int7"})),
        ["statement 0 (backward)", "'int7'"],
    ),
    "gradient of text": (
        _data(_back(gradient={**ONE, "values": ["a", "b"]})),
        ["statement 0 (backward)"],
    ),
    "gradient is a number": (_data(_back(gradient=3)), ["statement 0 (backward)", "gradient"]),
    "gradient is zero": (_data(_back(gradient=0)), ["statement 0 (backward)", "gradient"]),
    "no gradient to change": (
        _data(_back(gradient=None), {"do": "change_gradient"}),
        ["statement 1 (change_gradient)", "no gradient"],
    ),
    "gradient changed twice": (
        _data(_back(), {"do": "change_gradient"}, {"do": "change_gradient"}),
        ["statement 2 (change_gradient)", "no gradient"],
    ),
    "leaves to clear are a number": (
        _data({"do": "cleargrad", "leaves": 0}),
        ["statement 0 (cleargrad)"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_one_line_that_says_where(mistake: str) -> None:
    data, words = MISTAKES[mistake]
    with pytest.raises(pr.ProgramError) as caught:
        program_from_json(data)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert [word for word in words if word not in message] == []


def _usable(data: Any) -> None:
    """ProgramError of one line, or a program that can be shown, written and read again."""
    try:
        case = program_from_json(data)
    except pr.ProgramError as refusal:
        message = str(refusal)
    else:
        message = ""
    if message:
        assert len(message.splitlines()) == 1
        return
    assert str(case)
    assert dumps(program_from_json(json.loads(dumps(case)))) == dumps(case)
    for item in case.leaves:
        assert item.array().shape == item.shape


NAMES = st.sampled_from(
    (
        *("format", "leaves", "statements", "do", "op", "inputs", "attrs", "value", "shape"),
        *("values", "dtype", "gradient", "apply", "backward", "neg", "sum", "axis", "nan"),
        *("...", "slice"),
    )
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.just(10**400) | st.floats() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@steady(250)
@given(JUNK)
def test_arbitrary_json_raises_program_error_and_nothing_else(data: Any) -> None:
    _usable(data)


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in JSON data."""
    found = [path] if path else []
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items if isinstance(data, (dict, list)) else ():
        if isinstance(value, (dict, list)):
            found += _places(value, (*path, key))
        else:
            found.append((*path, key))
    return found


@steady(250)
@given(st.data())
def test_a_damaged_program_raises_program_error_and_nothing_else(data: st.DataObject) -> None:
    """One place of a valid program is replaced by junk or deleted."""
    damaged = copy.deepcopy(program_to_json(EVERY_STATEMENT))
    *path, last = data.draw(st.sampled_from(_places(damaged)))
    inner: Any = damaged
    for key in path:
        inner = inner[key]
    if data.draw(st.booleans()):
        inner[last] = data.draw(JUNK)
    else:
        del inner[last]
    _usable(damaged)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (pr.Program((), ()), "a program needs a leaf"),
        (pr.Program((leaf(1.0),), (pr.Backward(1),)), "statement 0 (backward): "),
        (pr.Program((pr.Leaf((2,), (1.0,)),), ()), "leaf 0: 1 values for shape (2,)"),
        (
            pr.Program((leaf(1.0), leaf(1.0, "float32")), (apply("matmul", 0, 1),)),
            "statement 0 (apply): matmul does not apply",
        ),
        (
            pr.Program((leaf([1.0]), leaf([1.0], "float32")), (apply("matmul", 0, 1),)),
            "statement 0 (apply): matmul of mixed dtypes",
        ),
    ],
)
def test_validate_says_what_is_wrong(case: pr.Program, message: str) -> None:
    with pytest.raises(pr.ProgramError) as caught:
        case.validate()
    assert str(caught.value).startswith(message)


def test_requires_grad_is_inferred() -> None:
    infos = EVERY_STATEMENT.infos
    assert [info.requires_grad for info in infos] == [
        *(True, False),  # leaves
        *(True, True, False),  # mul, sum, detach
        *(None, True, True, True, False),  # grad_of, split, get_item, neg under no_grad
    ]
    assert EVERY_STATEMENT.defined[5] == (6, 7)
