"""Templates: which shapes operands have, drawn and recognized."""

from __future__ import annotations

import random

import pytest

from parity.language.shapes import Shape, ShapeError
from parity.language.table import OPS
from parity.language.templates import MOST_LENGTH, Template, TemplateError

EVERY = sorted({op.operands for op in OPS.values()})


@pytest.mark.parametrize("text", EVERY)
def test_drawn_shapes_match(text: str) -> None:
    template = Template.of(text)
    for seed in range(30):
        shapes = template.draw(random.Random(seed))
        assert template.matches(shapes), shapes
        assert len(shapes) == template.arity or (template.arity == 0 and shapes)


@pytest.mark.parametrize(
    ("text", "fits", "does_not"),
    [
        ("m k, k n", ((2, 3), (3, 1)), ((2, 3), (2, 3))),
        ("m k, k n", ((1, 1), (1, 1)), ((2,), (2, 1))),
        ("b 3 n", ((2, 3, 4),), ((2, 4, 3),)),
        ("n n", ((2, 2),), ((2, 3),)),
        ("*s", ((),), ((2,), (2,))),
        ("+s", ((2,),), ((),)),
        ("*s, *s", ((2, 3), (2, 3)), ((2, 3), (3,))),
        ("*s, ~s", ((2, 3), (3,)), ((2, 3), (2,))),
        ("*s, ~s", ((3,), (2, 1)), ((3,), (2, 2))),
        ("*s, ~s, ~s", ((2, 1), (1, 3), (2, 3)), ((2, 1), (1, 3), (3, 3))),
        ("b *s, b", ((2, 3, 4), (2,)), ((2, 3, 4), (3,))),
        ("*s n", ((2, 3),), ((),)),
        ("b *s k, k", ((2, 3), (3,)), ((2,), (2,))),
        (",", ((), ()), ((1,), ())),
        ("*s, , n", ((2,), (), (3,)), ((2,), (1,), (3,))),
        ("n, ...", ((2,), (2,), (2,)), ((2,), (3,))),
        ("n, ...", ((2,),), ()),
        ("n, m, ...", ((2,), (3,), (3,)), ((2,),)),
    ],
)
def test_shapes_that_fit(text: str, fits: tuple[Shape, ...], does_not: tuple[Shape, ...]) -> None:
    assert Template.of(text).matches(fits)
    assert not Template.of(text).matches(does_not)


@pytest.mark.parametrize(
    "text",
    [
        "2 3 é ??",
        "ab",
        "*",
        "*2",
        "~s",
        "~s, *s",
        "*s *t",
        "-1",
        "1.5",
        "²",
        "१",
        str(MOST_LENGTH + 1),
        "9" * 1000,
        "...",
        "..., n",
        "n, ..., n",
        ", ".join("abcdefghij"),
    ],
)
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template.of(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize(
    ("text", "result", "shapes", "shape"),
    [
        ("m k, k n", "m n", ((2, 3), (3, 4)), (2, 4)),
        ("m k, k n", "n 5 m", ((2, 3), (3, 4)), (4, 5, 2)),
        ("b *s", "*s b", ((2, 3, 4),), (3, 4, 2)),
        ("*s, ~s", "*s", ((2, 1), (3,)), (2, 3)),
        ("*s, ~s", "", ((2, 1), (3,)), (2, 3)),
        ("+s", "", ((2, 1),), (2, 1)),
    ],
)
def test_shapes_of_results(text: str, result: str, shapes: tuple[Shape, ...], shape: Shape) -> None:
    template = Template.of(text)
    template.check_result(result)
    assert template.shape_of(result, shapes) == shape


def test_operands_that_do_not_fit_have_no_result() -> None:
    with pytest.raises(ShapeError):
        Template.of("m k, k n").shape_of("m n", ((2, 3), (2, 3)))


@pytest.mark.parametrize("result", ["q", "*t", "m *s"])
def test_a_result_of_other_letters_is_refused(result: str) -> None:
    with pytest.raises(TemplateError, match="of the result is in no operand"):
        Template.of("m k, k n").check_result(result)


def test_broadcasting_is_drawn_in_both_directions() -> None:
    drawn = [Template.of("*s, ~s").draw(random.Random(seed)) for seed in range(200)]
    assert {(len(a) > len(b)) - (len(a) < len(b)) for a, b in drawn} == {-1, 0, 1}
    assert any(1 in b and 1 not in a for a, b in drawn)


def test_further_operands_are_drawn() -> None:
    counts = {len(Template.of("n, ...").draw(random.Random(seed))) for seed in range(50)}
    assert counts == {1, 2, 3}


def test_a_capital_is_no_length_of_zero() -> None:
    assert not Template.of("M k").matches(((0, 2),))
    assert Template.of("m k").matches(((0, 2),))
    assert Template.of("M k").matches(((3, 0),))
