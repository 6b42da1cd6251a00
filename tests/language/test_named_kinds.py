"""Named kinds of attributes: the choices of each fit shapes of operands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity._util.decode import encode
from parity.language.attributes import as_plain
from parity.language.named_kinds import NAMED_KINDS, PLAIN, combinations_of, is_plain
from parity.language.shapes import Shape

SHAPES: tuple[tuple[Shape, ...], ...] = (
    *(((3,),), ((2, 3),), ((1, 4),), ((3, 1, 2),), ((2, 3), (2, 2)), ((4, 3), (2, 3))),
)


def _indices(value: Any, length: int) -> bool:
    array = np.array(value)
    return bool(((-length <= array) & (array < length)).all())


def _distinct(value: Any) -> bool:
    return all(len(set(row)) == len(row) for row in value)


def _axis(value: Any, shapes: tuple[Shape, ...]) -> bool:
    return value is None or _indices(value, len(shapes[0]))


#: What holds for each choice.
FITS: dict[str, Callable[[Any, tuple[Shape, ...]], bool]] = {
    "FLAG": lambda v, s: isinstance(v, bool),
    "AXIS": lambda v, s: v is not None and _axis(v, s),
    "AXES": _axis,
    "SHIFT": lambda v, s: isinstance(v, int),
    "LENGTH": lambda v, s: v is None or v >= 1,
    "MASK": lambda v, s: np.array(v).shape == s[0],
    "ROWS": lambda v, s: _indices(v, s[0][0]),
    "DISTINCT_ROWS": lambda v, s: _indices(v, s[0][0]) and _distinct([v]),
    "COLUMNS": lambda v, s: _indices(v, s[0][1]) and (len(s) < 2 or np.array(v).shape == s[1]),
    "DISTINCT_COLUMNS": lambda v, s: _indices(v, s[0][1]) and _distinct(v),
    "LABELS": lambda v, s: len(v) == s[0][0] and _indices(v, s[0][1]) and min(v) >= 0,
    "LABELS_OR_IGNORED": lambda v, s: (
        len(v) == s[0][0] and v[0] >= 0 and all(n == -100 or 0 <= n < s[0][1] for n in v)
    ),
    "SIGNS": lambda v, s: len(v) == s[0][0] and set(v) <= {1, -1},
    "GROUPS": lambda v, s: len(v) == s[0][0] and list(v) == sorted(v) and min(v) >= 0,
    "UNSORTED_GROUPS": lambda v, s: len(v) == s[0][0] and set(v) == set(range(max(v) + 1)),
    "COUNTS": lambda v, s: len(v) == s[0][0] and min(v) >= 0,
    "WEIGHTS": lambda v, s: np.array(v).shape == s[0][1:2] and np.min(v) > 0,
}


def test_every_kind_is_here() -> None:
    assert set(FITS) == set(NAMED_KINDS)


@pytest.mark.parametrize("name", NAMED_KINDS)
def test_choices_fit_the_shapes(name: str) -> None:
    found = 0
    for shapes in SHAPES:
        choices = [c["x"] for c in combinations_of({"x": name}, shapes)]
        assert len(set(map(repr, choices))) == len(choices)
        for value in choices:
            found += 1
            assert FITS[name](value, shapes), (value, shapes)
            kind = NAMED_KINDS[name].kind
            assert kind.check(value)
            assert as_plain(json.loads(json.dumps(encode(value)))) == value
            passed = kind.to_python(value)
            assert np.array_equal(np.array(passed, object), np.array(value, object))
            if isinstance(passed, np.ndarray):
                assert not passed.flags.writeable
    assert found >= 4


@pytest.mark.parametrize("name", ["AXIS", "AXES", "LENGTH", "ROWS", "COLUMNS", "LABELS", "GROUPS"])
def test_an_operand_without_axes_has_no_choices(name: str) -> None:
    assert all(c["x"] is None for c in combinations_of({"x": name}, ((),)))


@pytest.mark.parametrize("name", NAMED_KINDS)
def test_axes_of_length_0_are_no_error(name: str) -> None:
    for shapes in (((2, 0), (2,)), ((0, 0), (0,)), ((0,), (0,)), ((2, 0, 3), (2, 3)), ((3,), (0,))):
        combinations_of({"a": name}, shapes)  # there may be no choice


def test_every_choice_of_every_attribute_comes_where_there_are_many() -> None:
    attributes = {"x": tuple(range(9)), "y": tuple(range(7)), "z": "AXIS"}
    found = combinations_of(attributes, ((2, 3),))
    assert 36 < len(found) <= 48
    assert len({tuple(c.values()) for c in found}) == len(found)
    assert found[0] == {"x": 0, "y": 0, "z": 0}
    seen = [{c[name] for c in found} for name in attributes]
    assert seen == [set(range(9)), set(range(7)), {0, 1, -1, -2}]


def test_no_attributes_are_one_choice() -> None:
    assert combinations_of({}, ((2,),)) == [{}]


@pytest.mark.parametrize(
    "value", [0, 10**6, -1.5, float("nan"), None, True, "text", (), ((1, 2), (3.0, None))]
)
def test_plain_values(value: object) -> None:
    assert is_plain(value)
    assert PLAIN.check(value)


@pytest.mark.parametrize(
    "value", [10**6 + 1, [1], {}, b"x", 1j, "x" * 65, (1, [2]), (0,) * 5000, print, np.float64]
)
def test_other_values_are_not_plain(value: object) -> None:
    assert not is_plain(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MASK", (1, 0)), ("ROWS", (1.0,)), ("ROWS", "x"), ("WEIGHTS", ("x",)), ("FLAG", 1)],
)
def test_values_of_another_kind_are_refused(name: str, value: object) -> None:
    assert not NAMED_KINDS[name].kind.check(value)
