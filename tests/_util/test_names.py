"""What is asked where a name is not known."""

from __future__ import annotations

import pytest

from parity._util.errors import UsageError
from parity._util.names import did_you_mean, named, near


def test_the_nearest_names_come_first() -> None:
    assert near("sigmod", ["sigmoid", "sign", "add"])[0] == "sigmoid"
    assert near("zzz", ["sigmoid", "add"]) == []


def test_capitals_and_dashes_do_not_matter() -> None:
    assert near("LOG_softmax", ["log-softmax"]) == ["log-softmax"]
    assert near("keeps graphs", ["keeps-graphs"]) == ["keeps-graphs"]


def test_names_that_differ_in_dashes_only_are_both_there() -> None:
    assert near("a-b", ["a_b", "a-b"]) == ["a_b", "a-b"]


def test_nothing_is_asked_if_nothing_is_near() -> None:
    assert did_you_mean("zzz", ["add"]) == ""
    assert did_you_mean("adds", ["add"]) == "did you mean add? "


def test_a_name_that_is_unknown_is_one_line() -> None:
    assert named("add", {"add": 1}, "operation") == 1
    with pytest.raises(UsageError, match=r"^there is no operation 'zzz': there are add, mul$"):
        named("zzz", {"add": 1, "mul": 2}, "operation")
