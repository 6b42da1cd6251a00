"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from parity.function import cases, causes, check, frameworks, judge, script


@pytest.mark.parametrize(
    "module", [cases, causes, check, frameworks, judge, script], ids=lambda module: module.__name__
)
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
