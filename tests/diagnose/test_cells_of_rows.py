"""Cells of operations without rules: draws from their rows, with all that cells vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from parity.diagnose.cells import Outcome, Scope, cells_of
from parity.diagnose.operations import FIRST, measure_operations
from parity.engines.adapters.torch import Torch, with_gradient
from parity.engines.runner import as_runner
from parity.language import program as pr
from parity.language.table import OPS
from tests.helpers.programs import TORCH

NAMES = tuple(name for name, op in OPS.items() if not op.has_rules)
#: One of each family, and some with several results, operands or constants.
SOME = (*NAMES[::25], "lerp", "topk", "conv2d_bias", "layer_norm", "aminmax", "embedding_bag")


@pytest.mark.parametrize("name", SOME)
def test_each_cell_applies_one_operation_to_numbers_of_the_domains(name: str) -> None:
    op, cells = OPS[name], cells_of(name, Scope())
    assert len(cells) >= 10
    programs = [cell.program for cell in cells]
    assert len(set(programs)) == len(programs)
    for cell in cells:
        cell.program.validate()
        (apply,) = (s for s in cell.program.statements if isinstance(s, pr.Apply))
        assert (apply.op, apply.attrs) == (name, cell.attrs)
        assert apply.inputs == tuple(range(len(cell.program.leaves)))
        domains = op.domains(len(cell.program.leaves))
        for domain, leaf in zip(domains, cell.program.leaves, strict=True):
            assert leaf.dtype == "float32" or domain.contains(leaf.array())


@pytest.mark.parametrize("name", SOME)
def test_the_first_cells_are_the_beginning_of_all(name: str) -> None:
    first = [cell.program for cell in cells_of(name, Scope(), FIRST)]
    assert first == [cell.program for cell in cells_of(name, Scope())][: len(first)]
    assert 5 <= len(first) <= FIRST


def test_cells_vary_what_the_engine_declares() -> None:
    cells = cells_of("lerp", Scope())
    programs = [cell.program for cell in cells]
    assert {leaf.dtype for p in programs for leaf in p.leaves} == {"float64", "float32"}
    assert {all(leaf.requires_grad for leaf in p.leaves) for p in programs} == {True, False}
    assert {any(isinstance(s, pr.TakeGrad) for s in p.statements) for p in programs} == {
        True,
        False,
    }
    assert len({leaf.shape for p in programs for leaf in p.leaves}) > 5


def test_cells_have_nothing_that_the_engine_lacks() -> None:
    small = Scope(("float32",), 1, constants=False, second_order=False)
    cells = [cell for name in ("lerp", "cumprod", "topk") for cell in cells_of(name, small)]
    assert cells
    for cell in cells:
        assert all(len(i.shape) <= 1 and i.dtype == "float32" for i in cell.program.infos)
        assert all(leaf.requires_grad for leaf in cell.program.leaves)
        assert len(cell.program.statements) == 2


class Wrong(Torch):
    """PyTorch with a wrong gradient, a wrong value and an exception; and an operation it lacks."""

    name = "wrong"

    def __init__(self) -> None:
        super().__init__()
        plain = self.ops
        self.ops = {  # type: ignore[misc]
            "cumprod": plain["cumprod"],
            "lerp": lambda a, b, c: plain["lerp"](with_gradient(a, lambda g: -g), b, c),
            "expm1": lambda a: plain["expm1"](a) + 1,
            "topk": self.fail,
        }

    def fail(self, *xs: object, **attrs: object) -> object:
        raise ValueError("no topk")


def test_wrong_operations_are_told_from_right_ones() -> None:
    table = measure_operations(as_runner(Wrong()), TORCH)
    seen = {name: {r.outcome for r in table.of(name)} for name in Wrong().ops}
    assert seen["cumprod"] == {Outcome.RIGHT}
    assert seen["lerp"] == {Outcome.WRONG, Outcome.RIGHT}  # right where `a` is a constant
    assert seen["expm1"] == {Outcome.WRONG}
    assert seen["topk"] == {Outcome.RAISES}
    assert table.suspicious() == {"lerp", "expm1", "topk"}
    assert {cause.name for cause in table.causes()} == {"lerp", "expm1", "topk"}
    # Few cells of what is right run, all of what is not.
    assert len(table.of("cumprod")) <= FIRST < len(table.of("lerp"))


@pytest.mark.parametrize("name", ["xlogy", "lerp", "fmax", "hypot", "lgamma"])
def test_the_first_cells_have_zeros_and_ties_where_the_domain_has_them(name: str) -> None:
    domains = OPS[name].domains(OPS[name].arity)
    leaves = [cell.program.leaves for cell in cells_of(name, Scope(), 5)]
    zeros = [d.contains(np.zeros(2)) for d in domains]
    assert any(
        all(set(x.values) == {0.0} for x, z in zip(xs, zeros, strict=True) if z) for xs in leaves
    )
    assert any(all(set(x.values) <= {0.5, 0.75} for x in xs) for xs in leaves)


class WrongAtZero(Torch):
    """The gradient of ``xlogy`` is zero where the first operand is zero, as in other libraries."""

    name = "wrong-at-zero"

    def __init__(self) -> None:
        super().__init__()
        xlogy = self.ops["xlogy"]

        def wrong(a: Any, b: Any) -> Any:
            return xlogy(with_gradient(a, lambda g: torch.where(a == 0, 0.0, g)), b)

        self.ops = {"xlogy": wrong}  # type: ignore[misc]


def test_what_is_wrong_at_zero_only_is_seen() -> None:
    (cause,) = measure_operations(as_runner(WrongAtZero()), TORCH).causes()
    assert cause.sentence == "the gradient of `xlogy` is wrong at zero"
