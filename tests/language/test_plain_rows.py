"""Rows as plain data: they come back as they were, and hostile data are one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from parity._util.decode import FormatError
from parity.language import plain_rows
from parity.language import shapes as sh
from parity.language.operation import Operation
from parity.language.plain_rows import plain_row, register_rows, rows_from_plain, rows_to_plain
from parity.language.table import OPS, output_shapes, with_rules

NEW = Operation("new_cumprod", "torch.cumprod(a, dim=axis)", "+s", attributes={"axis": "AXIS"})
ROW = rows_to_plain([NEW])[0]
ROWS = [op for op in OPS.values() if not op.has_rules]


@pytest.fixture
def table() -> Iterator[None]:
    """The table, without what a test adds."""
    before = set(OPS)
    yield
    for name in set(OPS) - before:
        del OPS[name]
    output_shapes.cache_clear()


def test_rows_come_back_as_they_were() -> None:
    plain = json.loads(json.dumps(rows_to_plain(ROWS)))
    again = rows_from_plain(plain)
    assert [op.name for op in again] == [op.name for op in ROWS]
    for one, other in zip(ROWS, again, strict=True):
        assert rows_to_plain([one]) == rows_to_plain([other])
        assert one.source == other.source
        assert dict(one.kinds) == dict(other.kinds)
        assert one.attribute_choices(((2, 2), (2, 2))) == other.attribute_choices(((2, 2), (2, 2)))


def test_there_are_hundreds_of_rows_and_the_names_are_unique() -> None:
    assert len(ROWS) > 500
    assert len(with_rules()) == 67
    assert len({op.name for op in OPS.values()}) == len(OPS)


HOSTILE: tuple[Any, ...] = (
    None,
    3,
    "text",
    {},
    [3],
    [[ROW]],
    [{}],
    [{k: v for k, v in ROW.items() if k != "torch"}],
    *(
        [{**ROW, **changed}]
        for changed in (
            {"name": ""},
            {"name": "x y"},
            {"name": "x" * 81},
            {"name": 3},
            {"name": "\x1b[31m"},
            {"torch": "__import__('os').system('true')"},
            {"torch": "a\nb"},
            {"torch": "a" * 2001},
            {"torch": 3},
            {"torch": "((" * 900},
            {"operands": "??"},
            {"operands": "a " * 999 + "?"},
            {"operands": "999999999"},
            {"operands": ["+s"]},
            {"domain": "?"},
            {"domain": "R, R, R"},
            {"attributes": []},
            {"attributes": {"axis": "NO_KIND"}},
            {"attributes": {"a": [1]}},
            {"attributes": {"for": [1]}},
            {"attributes": {"axis": 3}},
            {"attributes": {"axis": []}},
            {"attributes": {"axis": {"x": 1}}},
            {"attributes": {"axis=open('x')": [1]}},
            {"kinks": None},
            {"smooth": "yes"},
            {"differentiable": [1]},
            {"differentiable": [True, True]},
            {"ulps": "many"},
            {"ulps": -1},
            {"ulps": 0},
            {"ulps": "inf"},
            {"result": "q"},
            {"result": 3},
        )
    ),
)


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_data_are_one_line(data: object) -> None:
    with pytest.raises(FormatError) as caught:
        rows_from_plain(data)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    assert len(text) < 3000


@pytest.mark.usefixtures("table")
def test_rows_are_added_once() -> None:
    register_rows([NEW])
    assert output_shapes("new_cumprod", ((2, 3),), (("axis", 0),)) == ((2, 3),)
    register_rows([NEW])
    register_rows((replace(NEW),))
    assert sum(name == "new_cumprod" for name in OPS) == 1
    register_rows([])


@pytest.mark.usefixtures("table")
def test_rows_that_arrive_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []
    monkeypatch.setattr(plain_rows, "check", sources.append)
    register_rows(rows_from_plain(rows_to_plain([NEW])), checked=True)
    assert sources == [NEW.source]
    assert "new_cumprod" in OPS


@pytest.mark.usefixtures("table")
def test_a_row_with_rules_keeps_them() -> None:
    register_rows([replace(NEW, shape=sh.elementwise, interval=lambda a, axis: a)])
    assert OPS["new_cumprod"].has_rules


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (3, "extra_ops is not a list of operations"),
        ("add", "extra_ops is not a list of operations"),
        ([3], "extra_ops has 3, which is no Operation"),
        ([replace(NEW, name="add")], "there is another operation 'add': rename yours"),
        ([replace(NEW, name="cumprod", ulps=9)], "another operation 'cumprod'"),
        ([NEW, replace(NEW, ulps=9)], "another operation 'new_cumprod'"),
        ([replace(NEW, torch="open(a)")], "'open' is no operand"),
        ([replace(NEW, torch="torch.nope(a)")], "'nope' is not called in an expression"),
        ([replace(NEW, attributes={"axis": (print,)})], "new_cumprod"),
        ([replace(NEW, torch="torch.cumprod(a, dim=7 + axis)")], "PyTorch computes it on no oper"),
        ([replace(NEW, torch="a.argmax(axis)")], "no floating-point numbers"),
        ([replace(NEW, domain="M", operands="1 2")], "no numbers of shape (1, 2)"),
        ([replace(NEW, operands="*s", domain="D", attributes={"axis": "COLUMNS"})], "PyTorch"),
    ],
)
def test_wrong_rows_are_refused_in_one_line(rows: Any, words: str) -> None:
    with pytest.raises(ValueError, match="extra_ops") as caught:
        register_rows(rows)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"domain": "?"}, "there is no domain '?'"),
        ({"operands": "ab"}, "is no letter"),
        ({"attributes": {"axis": "AXLE"}}, "there is no kind 'AXLE' of attributes"),
        ({"attributes": {"axis": ()}}, "the attribute 'axis' has no choices"),
        ({"attributes": {"b": (1,)}}, "the attribute 'b' has the name of an operand"),
        ({"differentiable": (True, False)}, "differentiable says 2 of the operands"),
        ({"ulps": float("nan")}, "units in the last place"),
        ({"result": "z"}, "'z' of the result is in no operand"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        replace(NEW, **changed)
    assert words in str(caught.value)


def test_what_is_no_plain_data_is_refused() -> None:
    with pytest.raises(ValueError, match="no plain data"):
        plain_row(replace(NEW, attributes={"axis": (10**9,)}))
