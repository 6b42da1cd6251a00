"""Compilers that are wrong on purpose are found, and the same without the fault is not."""

from __future__ import annotations

import pytest

from parity.campaign.search import search
from parity.diagnose.defects.whole import WHOLE_DEFECTS
from parity.engines.adapters.torch_whole import TorchWhole
from parity.engines.load import load_engine
from parity.engines.runner import LocalRunner
from parity.engines.whole.runner import WholeRunner


@pytest.mark.parametrize("name", WHOLE_DEFECTS)
def test_defects_are_found_and_reduced(name: str) -> None:
    runner = WholeRunner(LocalRunner(WHOLE_DEFECTS[name]()))
    result = search(runner, load_engine("torch"), 200, first=True)
    (found,) = result.findings
    assert found.program is not None
    assert len(found.program.statements) <= 2
    assert len(found.program.calls) == 1  # the fault is what is left of an earlier call
    assert "call 2" in result.text()


def test_without_a_fault_there_is_no_finding() -> None:
    runner = WholeRunner(LocalRunner(TorchWhole()))
    result = search(runner, load_engine("torch"), 200)
    assert result.ok, result.text()
