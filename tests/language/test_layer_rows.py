"""Rows of products, linear algebra and layers: PyTorch takes them, gradients are right."""

from __future__ import annotations

import random
import zlib
from typing import Any

import numpy as np
import pytest
import torch

from parity.language.operation import Operation
from parity.language.operations import layers

pytestmark = pytest.mark.slow

Case = tuple[list[torch.Tensor], dict[str, Any]]


def case(op: Operation) -> Case:
    """Operands in the domain of an operation, and its first attributes."""
    source = random.Random(zlib.crc32(op.name.encode()))
    shapes = op.template.draw(source)
    numbers = np.random.default_rng(0)
    attrs = op.attribute_choices(shapes)[0]
    assert op.output_shapes(shapes, **attrs)
    operands = [
        torch.tensor(domain.draw(numbers, shape, grid=False), requires_grad=True)
        for domain, shape in zip(op.domains(len(shapes)), shapes, strict=True)
    ]
    return operands, {name: op.kinds[name].to_python(value) for name, value in attrs.items()}


def total(op: Operation, operands: list[torch.Tensor], attrs: dict[str, Any]) -> torch.Tensor:
    """The sum of the results, each element with a weight of its own."""
    results = op.function(*operands, **attrs)
    several = results if isinstance(results, tuple | list) else (results,)
    weighted = [(y * torch.linspace(0.5, 1.5, y.numel()).reshape(y.shape)).sum() for y in several]
    return sum(weighted, torch.zeros((), dtype=torch.float64))


@pytest.mark.parametrize("op", layers.ROWS, ids=lambda op: op.name)
def test_gradient_is_that_of_central_differences(op: Operation) -> None:
    operands, attrs = case(op)
    gradients = torch.autograd.grad(total(op, operands, attrs), operands)
    assert all(bool(torch.isfinite(g).all()) for g in gradients)
    directions = [torch.cos(torch.arange(x.numel()) + 1.0).reshape(x.shape) for x in operands]
    expected = sum((g * v).sum().item() for g, v in zip(gradients, directions, strict=True))
    step = 2.0**-16

    def moved(sign: float) -> float:
        with torch.no_grad():
            ends = [x + sign * step * v for x, v in zip(operands, directions, strict=True)]
            return total(op, ends, attrs).item()

    slope = (moved(1.0) - moved(-1.0)) / (2 * step)
    scale = max(1.0, *(g.abs().max().item() for g in gradients))
    assert abs(slope - expected) < 1e-5 * scale, op.source


def test_names_are_distinct() -> None:
    names = [op.name for op in layers.ROWS]
    assert len(names) == len(set(names))
