"""Records and findings as they are read from files: what was written, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from parity.campaign.cases import Case
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
    "case": Case("general", bytes(PROFILES["general"].size)).to_json(),
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
        ({"more": 1}, "it is no record of shards"),
        ({"complete": 1}, "it is no record of shards"),
        ({"first": 6}, "it is no record of shards"),
        ({"first": -1}, "its numbers are not from 0 on"),
        ({"programs": 1.5}, "its numbers are not from 0 on"),
        ({"programs": True}, "its numbers are not from 0 on"),
        ({"programs": 10**18}, "its numbers are not from 0 on"),
        ({"seconds": "1"}, "its numbers are not from 0 on"),
        ({"seconds": float("nan")}, "its numbers are not from 0 on"),
        ({"failing": []}, "its counts are not numbers by name"),
        ({"findings": {"a": -1}}, "its counts are not numbers by name"),
        ({"exposure": {"a": None}}, "its counts are not numbers by name"),
    ],
)
def test_what_is_no_record(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Record.from_json(damaged(RECORD.to_json(), **fields))


@pytest.mark.parametrize("name", RECORD.to_json())
def test_a_record_has_all_its_fields(name: str) -> None:
    data = RECORD.to_json()
    del data[name]
    with pytest.raises(ValueError, match="it is no record of shards"):
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
        {"probe": "deep-chain", "program": None, "program_number": -1},
        {"first_seen": {"shard": 0, "program": -1}},
    ],
)
def test_what_is_a_finding(fields: dict[str, Any]) -> None:
    data = damaged(FINDING, **fields)
    assert checked_finding(data) == data


COUNTS = "its counts and places are numbers from 0 on"
LIKE = FINDING["diagnosis"][0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "gradients"}, 'no "kind" of a finding'),
        ({"probe": "deep"}, "there is no probe 'deep'"),
        ({"program": {}}, "not a program"),
        ({"case": {"profile": "general", "data": "00"}}, "takes .* bytes"),
        ({"statements": -1}, COUNTS),
        ({"leaves": 1.0}, COUNTS),
        ({"count": True}, COUNTS),
        ({"program_number": -2}, COUNTS),
        ({"first_seen": {"shard": -1, "program": 0}}, COUNTS),
        ({"first_seen": {"shard": 0, "program": "1"}}, COUNTS),
        ({"first_seen": 3}, "subscriptable"),
        ({"first_seen": {"shard": 0}}, "it has no 'program'"),
        ({"diagnosis": [{**LIKE, "defect": 1}]}, '"diagnosis" is a list of defects'),
        ({"diagnosis": [{**LIKE, "says": 1}]}, '"diagnosis" is a list of defects'),
        ({"diagnosis": [{**LIKE, "agrees": -1}]}, '"diagnosis" has no counts'),
        ({"diagnosis": [{**LIKE, "of": None}]}, '"diagnosis" has no counts'),
        ({"diagnosis": 3}, "not iterable"),
        ({"engine": {}}, '"engine" is no text, list or null'),
        ({"reference": 1.0}, '"reference" is no text, list or null'),
        ({"shown": ["1"]}, '"shown" is no list of two texts'),
        ({"shown": "12"}, '"shown" is no list of two texts'),
        ({"shown": ["1", 2]}, '"shown" is no text'),
        ({"wrong": "both"}, '"wrong" is neither engine nor reference'),
        ({"error_over_bound": True}, '"error_over_bound" is no number'),
        ({"error_over_bound": "1"}, '"error_over_bound" is no number'),
        ({"error_over_bound": float("nan")}, '"error_over_bound" is no number'),
        ({"error_over_bound": 10**400}, "too large"),
        ({"text": None}, '"text" is no text'),
        ({"says": 1}, '"says" is no text'),
        ({"script": None}, '"script" is no text'),
        ({"script": "\ud800"}, "surrogates not allowed"),
    ],
)
def test_what_is_no_finding(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        checked_finding(damaged(FINDING, **fields))


@pytest.mark.parametrize("name", FINDING)
def test_a_finding_has_all_its_fields(name: str) -> None:
    data = damaged(FINDING)
    del data[name]
    with pytest.raises(ValueError, match=f"it has no .?{name}"):
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
        ({"format": 2}, 'its "format" is not 1'),
        ({"size": 0}, 'its "size" is no number of programs'),
        ({"size": 10**9}, 'its "size" is no number of programs'),
        ({"size": True}, 'its "size" is no number of programs'),
        ({"size": "10"}, 'its "size" is no number of programs'),
        ({"size": 10.0}, 'its "size" is no number of programs'),
        ({"seed": 0}, "it does not say spec, engine, reference and seed"),
        ({"spec": None}, "it does not say spec, engine, reference and seed"),
        ({"engine": []}, "it does not say spec, engine, reference and seed"),
        ({"reference": {}}, "it does not say spec, engine, reference and seed"),
    ],
)
def test_what_is_no_identity(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Identity.from_json(damaged(IDENTITY.to_json(), **fields))
    assert Identity.from_json(damaged(IDENTITY.to_json())) == IDENTITY
    assert Identity.from_json(damaged(IDENTITY.to_json(), size=1)).size == 1
