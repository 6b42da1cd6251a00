"""Records and findings as they are read from files: what was written, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from parity._util.decode import encode
from parity.campaign.cases import FuzzInput
from parity.campaign.corpus import Identity
from parity.campaign.records import Record, checked_finding, identity, names, size_of
from parity.generate.profiles import PROFILES
from parity.language.json_format import program_to_json
from parity.language.text_format import program_from_text
from tests.helpers.campaigns import TWICE

RECORD = Record(
    3,
    5,
    30,
    1.25,
    2,
    4,
    False,
    Counter(gradient=2),
    Counter(a=1),
    Counter({"ops: add": 3}),
)
FINDING: dict[str, Any] = {
    "kind": "gradient",
    "probe": "",
    "program": program_to_json(program_from_text(TWICE)),
    "program_number": 7,
    "case": encode(FuzzInput("general", bytes(PROFILES["general"].size))),
    "statements": 2,
    "leaves": 1,
    "count": 1,
    "first_seen": {"shard": 0, "program": 7},
    "diagnosis": [{"defect": "overwrite", "says": "forgets a path", "agrees": 7, "of": 8}],
    "engine": "1.0",
    "reference": ["1.0", None],
    "shown": ["1.0", "2.0"],
    "error_over_bound": 3.5,
    "wrong": "engine",
    "text": TWICE,
    "says": "a gradient differs",
    "script": "",
}


def damaged(data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return json.loads(json.dumps({**data, **fields}))


def test_records_are_read_as_they_are_written() -> None:
    again = Record.from_json(json.loads(json.dumps(RECORD.to_json())))
    assert again == RECORD
    assert isinstance(again.failing, Counter)
    assert Record.from_json(damaged(RECORD.to_json(), seconds=2, first=5)).first == 5


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"more": 1}, "it has an unknown field 'more'"),
        ({"complete": 1}, "complete is 1, not true or false"),
        ({"first": 6}, "the first shard, 6, is after the last, 5"),
        ({"first": -1}, "first is -1, not a whole number, 0 or more"),
        ({"programs": 1.5}, "programs is 1.5, not a whole number"),
        ({"programs": True}, "programs is True, not a whole number"),
        ({"programs": 10**18}, "programs is 1000000000000000000, not a whole number"),
        ({"seconds": "1"}, "seconds is '1', not a number"),
        ({"seconds": -1}, "seconds is -1, not a number, 0 or more"),
        ({"seconds": float("nan")}, "seconds is nan, not a number"),
        ({"failing": []}, r"failing is \[\], not an object"),
        ({"findings": {"a": -1}}, "findings.a is -1, not a whole number, 0 or more"),
        ({"exposure": {"a": None}}, "exposure.a is None, not a whole number"),
    ],
)
def test_what_is_no_record(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        Record.from_json(damaged(RECORD.to_json(), **fields))


@pytest.mark.parametrize("name", RECORD.to_json())
def test_a_record_has_all_its_fields(name: str) -> None:
    data = RECORD.to_json()
    del data[name]
    with pytest.raises(ValueError, match=f"^{name} is missing"):
        Record.from_json(data)


def test_records_add_up() -> None:
    other = Record(9, 9, 10, 0.5, 1, 1, True, Counter(value=1), Counter(a=2), Counter())
    assert Record.total([other, RECORD]) == Record(
        3,
        9,
        40,
        1.75,
        3,
        5,
        True,
        Counter(gradient=2, value=1),
        Counter(a=3),
        Counter({"ops: add": 3}),
    )
    assert Record.total([]) == Record(0, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"case": None},
        {"error_over_bound": None, "wrong": None, "engine": None},
        {"error_over_bound": 3, "wrong": "ill-conditioned", "diagnosis": []},
        {"error_size": None},
        {"error_size": {"relative": 1e-9, "says": "inaccurate"}},
        {"probe": "deep-chain", "program": None, "program_number": -1},
        {"first_seen": {"shard": 0, "program": -1}},
    ],
)
def test_what_is_a_finding(fields: dict[str, Any]) -> None:
    data = damaged(FINDING, **fields)
    assert checked_finding(data) == data


COUNT = "a whole number"
LIKE = FINDING["diagnosis"][0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "gradients"}, "kind is 'gradients', not one of .*gradient"),
        ({"probe": "deep"}, "probe is 'deep', not one of .*deep-chain"),
        ({"program": {}}, "not a program"),
        ({"case": {"profile": "general", "data": "00"}}, "case: 'general' takes .* bytes"),
        ({"case": {"profile": "general", "data": "0x"}}, "case.data is '0x', not hexadecimal"),
        ({"case": {"profile": "x", "data": ""}}, "case.profile is 'x', not one of .*general"),
        ({"statements": -1}, f"statements is -1, not {COUNT}, 0 or more"),
        ({"leaves": 1.0}, f"leaves is 1.0, not {COUNT}"),
        ({"count": True}, f"count is True, not {COUNT}"),
        ({"program_number": -2}, f"program_number is -2, not {COUNT}, 0 or more or -1"),
        ({"first_seen": {"shard": -1, "program": 0}}, f"first_seen.shard is -1, not {COUNT}"),
        ({"first_seen": {"shard": 0, "program": "1"}}, f"first_seen.program is '1', not {COUNT}"),
        ({"first_seen": 3}, "first_seen is 3, not an object"),
        ({"first_seen": {"shard": 0}}, "first_seen.program is missing"),
        ({"diagnosis": [{**LIKE, "defect": 1}]}, r"diagnosis\[0\].defect is 1, not text"),
        ({"diagnosis": [LIKE, {**LIKE, "says": 1}]}, r"diagnosis\[1\].says is 1, not text"),
        ({"diagnosis": [{**LIKE, "agrees": -1}]}, rf"diagnosis\[0\].agrees is -1, not {COUNT}"),
        ({"diagnosis": [{**LIKE, "of": None}]}, rf"diagnosis\[0\].of is None, not {COUNT}"),
        ({"diagnosis": 3}, "diagnosis is 3, not a list"),
        ({"engine": {}}, "engine is {}, not text or a list or null"),
        ({"reference": 1.0}, "reference is 1.0, not text or a list or null"),
        ({"shown": ["1"]}, r"shown is \['1'\], not a list of 2"),
        ({"shown": "12"}, "shown is '12', not a list"),
        ({"shown": ["1", 2]}, r"shown\[1\] is 2, not text"),
        ({"wrong": "both"}, "wrong is 'both', not one of engine, reference, .* or null"),
        ({"error_over_bound": True}, "error_over_bound is True, not a number or null"),
        ({"error_over_bound": "1"}, "error_over_bound is '1', not a number"),
        ({"error_over_bound": float("nan")}, "error_over_bound is nan, not a number"),
        ({"error_over_bound": 10**400}, "error_over_bound is 10{38}…, not a number"),
        ({"error_size": {"relative": "1"}}, "error_size.relative is '1', not a number"),
        ({"error_size": "small"}, "error_size is 'small', not an object"),
        ({"text": None}, "text is None, not text"),
        ({"says": 1}, "says is 1, not text"),
        ({"script": None}, "script is None, not text"),
        ({"script": "\ud800"}, r"script is '\\ud800', not text that can be printed"),
    ],
)
def test_what_is_no_finding(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        checked_finding(damaged(FINDING, **fields))


@pytest.mark.parametrize("name", FINDING)
def test_a_finding_has_all_its_fields(name: str) -> None:
    data = damaged(FINDING)
    del data[name]
    with pytest.raises(ValueError, match=f"^{name} is missing"):
        checked_finding(data)


def test_what_makes_two_findings_one() -> None:
    others = [
        damaged(FINDING, kind="value"),
        damaged(FINDING, diagnosis=[]),
        damaged(FINDING, program=program_to_json(program_from_text(TWICE.replace("3", "4")))),
        damaged(FINDING, probe="deep-chain"),
    ]
    assert len({identity(one) for one in (FINDING, *others)}) == 5
    assert identity(damaged(FINDING, count=3, text="")) == identity(FINDING)
    # Those of one program share the first name, and each has a second of its own.
    firsts, seconds = zip(*map(names, (FINDING, *others)), strict=True)
    assert [name == firsts[0] for name in firsts] == [True, True, True, False, False]
    assert len({*firsts, *seconds}) == 3 + 5


def test_findings_are_in_order_of_statements_then_leaves_then_discovery() -> None:
    several = [
        damaged(FINDING),
        damaged(FINDING, first_seen={"shard": 0, "program": 8}),
        damaged(FINDING, leaves=2, first_seen={"shard": 0, "program": 1}),
        damaged(FINDING, statements=3, leaves=0),
    ]
    assert sorted(several[2:] + several[:2], key=size_of) == several


IDENTITY = Identity("my.engine", "mine 2", "torch 2.6", "0", 10)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"format": 2}, "format is 2, not 1"),
        ({"format": True}, "format is True, not a whole number"),
        ({"size": 0}, "size is 0, not a number of programs"),
        ({"size": 10**9}, "size is 1000000000, not a number of programs"),
        ({"size": True}, "size is True, not a whole number"),
        ({"size": "10"}, "size is '10', not a whole number"),
        ({"size": 10.0}, "size is 10.0, not a whole number"),
        ({"seed": 0}, "seed is 0, not text"),
        ({"spec": None}, "spec is None, not text"),
        ({"engine": []}, r"engine is \[\], not text"),
        ({"reference": {}}, "reference is {}, not text"),
    ],
)
def test_what_is_no_identity(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        Identity.from_json(damaged(IDENTITY.to_json(), **fields))
    assert Identity.from_json(damaged(IDENTITY.to_json())) == IDENTITY
    assert Identity.from_json(damaged(IDENTITY.to_json(), size=1)).size == 1
