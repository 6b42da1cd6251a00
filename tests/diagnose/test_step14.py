"""The cells of step 14 of the book: every fault is named, once."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from parity.campaign.result import SearchResult
from parity.campaign.search import search
from parity.diagnose.causes import Category, Cause
from parity.engines.adapters.torch import Torch
from tests.helpers.step14 import FAULTS, CellA, CellB, CellE, Step14

pytestmark = pytest.mark.slow

CELL = {cell.name: cell for cell in FAULTS}
CELLS = pytest.mark.parametrize("cell", [pytest.param(cell, id=cell.name) for cell in FAULTS])


@functools.cache
def checked(name: str) -> SearchResult:
    return search(CELL[name](), Torch(), 500)


def causes(cell: type[Step14]) -> list[Cause]:
    """The causes of a check, conventions apart."""
    found = checked(cell.name).causes
    return [cause for cause in found if cause.category is not Category.CONVENTION]


@pytest.mark.parametrize(("cell", "slope"), [(CellA, 1.0), (CellB, 2.0), (CellE, 7.0)])
def test_the_slip_sends_the_gradient_of_the_sum_on(cell: type[Step14], slope: float) -> None:
    engine = cell()
    x = engine.leaf(np.array(3.0))
    engine.backward(engine.ops["add"](x, engine.ops["square"](x)))
    assert engine.grad(x) == slope


@CELLS
def test_every_fault_is_named(cell: type[Step14]) -> None:
    named = {cause.name for cause in causes(cell)}
    missing = [fault for fault in FAULTS[cell] if not fault.names & named]
    assert not missing, f"causes: {named}"


@CELLS
def test_there_are_no_more_causes_than_faults(cell: type[Step14]) -> None:
    keys = [cause.key for cause in causes(cell)]
    assert len(keys) <= len(FAULTS[cell]), keys


@CELLS
def test_each_cause_is_a_fault_of_its_category(cell: type[Step14]) -> None:
    for cause in causes(cell):
        meant = [fault.category for fault in FAULTS[cell] if cause.name in fault.names]
        assert cause.category in meant, cause.key
