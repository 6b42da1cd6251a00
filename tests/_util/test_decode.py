"""Plain data into dataclasses: every field is checked, and its path is named."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from parity._util.decode import Check, Count, Decoder, FormatError, decode, encode, one_of


@dataclass(frozen=True)
class Inner:
    number: float
    size: Count = 0


@dataclass(frozen=True)
class Outer:
    inner: Inner | None
    several: tuple[Inner, ...] = ()
    pair: tuple[str, int] = ("", 0)
    counts: Counter[str] = field(default_factory=Counter)
    named: dict[str, Inner] = field(default_factory=dict)
    digits: bytes = b""
    color: Annotated[str, one_of(("red", "blue"))] = "red"
    one: Literal[1, "a"] = 1
    either: Inner | int | None = None
    anything: Any = None
    flag: bool = False
    description: str = field(default="", metadata={"key": "says"})

    def __post_init__(self) -> None:
        if self.flag and self.inner is None:
            raise ValueError("a flag needs an inner one")


WHOLE = Outer(
    Inner(1.5, 2),
    (Inner(0.0), Inner(-1.0)),
    ("x", -3),
    Counter(b=1, a=2),
    {"n": Inner(2.0)},
    b"\x01\xff",
    "blue",
    "a",
    7,
    [{"deep": None}],
    True,
    "text",
)


def test_what_is_encoded_is_decoded_to_the_same() -> None:
    data = json.loads(json.dumps(encode(WHOLE)))
    assert data["says"] == "text"
    assert data["digits"] == "01ff"
    assert list(data["counts"]) == ["a", "b"]
    again = decode(Outer, data)
    assert again == WHOLE
    assert isinstance(again.counts, Counter)
    assert Decoder(known=True, all=True).decode(Outer, data) == WHOLE


def test_fields_with_defaults_may_be_missing_and_unknown_ones_are_left_out() -> None:
    assert decode(Outer, {"inner": None, "later": 1}) == Outer(None)
    exact = Decoder(known=True, all=True)
    with pytest.raises(FormatError, match=r"^several is missing$"):
        exact.decode(Outer, {"inner": None})
    with pytest.raises(
        FormatError, match=r"^named.n has an unknown field 'later'; there are number, size$"
    ):
        exact.decode(Outer, {**encode(WHOLE), "named": {"n": {"number": 1, "size": 0, "later": 1}}})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inner": 1}, "at.inner is 1, not an object or null"),
        ({"inner": {"number": True}}, "at.inner.number is True, not a number"),
        ({"inner": {"number": float("inf")}}, "at.inner.number is inf, not a number"),
        ({"inner": {"number": 10**400}}, f"at.inner.number is 1{'0' * 38}…, not a number"),
        (
            {"inner": {"number": 1, "size": -1}},
            "at.inner.size is -1, not a whole number, 0 or more",
        ),
        ({"inner": {}}, "at.inner.number is missing"),
        ({"several": {}}, "at.several is {}, not a list"),
        ({"several": [{"number": 1}, 2]}, "at.several[1] is 2, not an object"),
        ({"pair": ["x"]}, "at.pair is ['x'], not a list of 2"),
        ({"pair": ["x", 1.0]}, "at.pair[1] is 1.0, not a whole number"),
        ({"counts": {"a": 1.5}}, "at.counts.a is 1.5, not a whole number"),
        ({"named": {"n": {}}}, "at.named.n.number is missing"),
        ({"named": {"\x1b": 1}}, "at.named.'\\x1b' is 1, not an object"),
        (
            {"named": {"\ud800": {"number": 1}}},
            "the name '\\ud800' in at.named is '\\ud800', not text that can be printed",
        ),
        ({"digits": "0g"}, "at.digits is '0g', not hexadecimal digits"),
        ({"digits": 5}, "at.digits is 5, not hexadecimal digits"),
        ({"color": "green"}, "at.color is 'green', not one of red, blue"),
        ({"color": []}, "at.color is [], not text"),
        ({"one": True}, "at.one is True, not 1 or 'a'"),
        ({"either": "x"}, "at.either is 'x', not an object or a whole number or null"),
        ({"either": {"number": "x"}}, "at.either.number is 'x', not a number"),
        ({"flag": 1}, "at.flag is 1, not true or false"),
        ({"flag": True, "inner": None}, "at: a flag needs an inner one"),
        ({"says": "\ud800"}, "at.says is '\\ud800', not text that can be printed"),
    ],
)
def test_a_field_that_is_wrong_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError) as raised:
        decode(Outer, {"inner": None, **fields}, "at")
    assert str(raised.value) == message


def test_the_whole_may_be_wrong() -> None:
    with pytest.raises(FormatError, match=r"^it is \[\], not an object$"):
        decode(Outer, [])
    with pytest.raises(FormatError, match=r"^a flag needs"):
        decode(Outer, {"inner": None, "flag": True})


def test_texts_and_names_go_through_the_setting() -> None:
    upper = Decoder(text=str.upper)
    found = upper.decode(Outer, {"inner": None, "says": "a", "named": {"b": {"number": 1}}})
    assert (found.description, list(found.named)) == ("A", ["B"])


def test_a_check_sees_the_decoded_value() -> None:
    @dataclass
    class Short:
        data: Annotated[bytes, Check("two bytes", lambda data: len(data) == 2)]

    # Annotations of a class in a function are not found by their names.
    Short.__annotations__ = {"data": Annotated[bytes, Check("two bytes", lambda d: len(d) == 2)]}
    assert decode(Short, {"data": "0102"}) == Short(b"\x01\x02")
    with pytest.raises(FormatError, match=r"^data is '01', not two bytes$"):
        decode(Short, {"data": "01"})
