"""Gradients that keep the dtype of a result: one defect, whichever form an engine has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.diagnose.defects import DEFECTS
from parity.diagnose.diagnose import diagnose
from parity.diagnose.diagnosis import Diagnosis
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.other_engine import Cell, Tape, made
from tests.helpers.programs import TORCH, sample

LEFT = "x0 = leaf(3.0, float32)\nx1 = leaf(3.0)\nx2 = add(x0, x1)\nbackward(x2)"
RIGHT = "x0 = leaf(3.0)\nx1 = leaf(3.0, float32)\nx2 = add(x0, x1)\nbackward(x2)"


class Mixed(Tape):
    """Two dtypes, and nothing that brings a gradient back to that of its leaf."""

    dtypes = ("float32", "float64")

    def start(self, t: Cell, gradient: Any) -> Any:
        return super().start(t, gradient).astype(t.array.dtype)


class SumsAnew(Mixed):
    """A second backward makes a new array, with the wider dtype of both."""

    def deposit(self, cell: Cell, g: Any) -> None:
        cell.slope = np.array(g) if cell.slope is None else np.asarray(cell.slope + g)


def _picked(a: Cell, index: Any) -> Cell:
    def pull(g: Any) -> tuple[Any, ...]:
        slope = np.zeros_like(a.array)
        np.add.at(slope, index, g)
        return (slope,)

    return made(a.array[index], pull, a)


def _picked_wide(a: Cell, index: Any) -> Cell:
    def pull(g: Any) -> tuple[Any, ...]:
        slope = np.zeros(a.array.shape, g.dtype)
        np.add.at(slope, index, g)
        return (slope,)

    return made(a.array[index], pull, a)


PICKS = {"like": _picked, "wide": _picked_wide}


def _engine(base: type[Tape], picks: str) -> Tape:
    ops = {**Tape.ops, "get_item": PICKS[picks]}
    return type(f"{base.__name__}_{picks}", (base,), {"ops": ops})()


def _diagnosed(engine: Tape, text: str) -> Diagnosis:
    case = program_from_text(text)
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    assert finding.kind == "dtype"
    return diagnose(case, finding, engine, TORCH)


@pytest.mark.parametrize("text", [LEFT, RIGHT], ids=["left", "right"])
@pytest.mark.parametrize("picks", PICKS)
@pytest.mark.parametrize("base", [Mixed, SumsAnew], ids=["in-place", "anew"])
def test_each_form_is_named(base: type[Tape], picks: str, text: str) -> None:
    diagnosis = _diagnosed(_engine(base, picks), text)
    assert [match.defect for match in diagnosis.matches] == ["gradient-dtype-of-result"]
    assert diagnosis.matches[0].agrees == diagnosis.matches[0].of == 40


class Casts(Mixed):
    """Right: gradients get the dtype of their cell."""

    def gather(self, arrived: dict[Cell, Any], cell: Cell, g: Any) -> None:
        super().gather(arrived, cell, g.astype(cell.array.dtype))


class CastsInners(Mixed):
    """Results get gradients of their own dtype, leaves do not: a fault of another engine."""

    def gather(self, arrived: dict[Cell, Any], cell: Cell, g: Any) -> None:
        kept = g if cell.pull is None else g.astype(cell.array.dtype)
        super().gather(arrived, cell, kept)


def test_an_engine_that_casts_is_right() -> None:
    assert check_program(program_from_text(LEFT), Casts(), TORCH) is None
    assert check_program(program_from_text(RIGHT), Casts(), TORCH) is None


def test_what_is_cast_on_the_way_is_another_fault() -> None:
    assert not any(
        match.defect == "gradient-dtype-of-result"
        for match in _diagnosed(CastsInners(), LEFT).matches
    )


class Renews(SumsAnew):
    """Zeroing makes an array like the value, whatever the gradient was."""

    def zero_grad(self, t: Cell) -> None:
        t.slope = np.zeros_like(t.array)


@pytest.mark.parametrize("text", [LEFT, RIGHT], ids=["left", "right"])
def test_it_is_named_with_zeros_like_the_value(text: str) -> None:
    (match,) = _diagnosed(Renews(), text).matches
    assert set(match.defect.split(" + ")) == {"gradient-dtype-of-result", "zero-replaces"}


class OneDtype(DEFECTS["gradient-dtype-of-result"]):  # type: ignore[misc]
    """The defect where there is nothing to keep."""

    dtypes = ("float32",)


@pytest.mark.parametrize("profile", ["general", "functions", "second-order"])
def test_among_float32_alone_the_defect_does_not_show(profile: str) -> None:
    engine = OneDtype()
    cases = sample(profile, 150, engine, seed="one dtype")
    assert [str(case) for case in cases if check_program(case, engine, TORCH)] == []
