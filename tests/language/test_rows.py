"""Rows of plain data: PyTorch accepts what they draw, and its derivatives are those of the values.

A row that fails here would be reported as a fault of PyTorch.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch

from parity.language.domains import DOMAINS
from parity.language.json_format import dumps, program_from_json
from parity.language.named_kinds import NAMED_KINDS, is_plain
from parity.language.operation import Operation
from parity.language.program import Apply, Leaf, Program
from parity.language.shapes import ShapeError, size
from parity.language.table import OPS
from parity.language.text_format import program_from_text
from parity.language.values import info_of

pytestmark = pytest.mark.slow

ROWS = [name for name, op in OPS.items() if not op.has_rules]
#: How many draws of operands each row gets.
DRAWS = 4
#: The step of differences, and how far they may be from derivatives, relative to the largest.
STEP, NEAR = 1e-5, 1e-5


def draws(op: Operation, count: int = DRAWS) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Shapes of operands with attributes that PyTorch accepts; the first are the first ones."""
    source = random.Random(len(op.name))
    for number in range(10 * count):
        shapes = op.template.draw(source)
        choices = op.attribute_choices(shapes)
        attrs = choices[0] if number == 0 else source.choice(choices)
        try:
            op.output_shapes(shapes, **attrs)
        except ShapeError:
            assert number, "the first attributes are refused"
            continue
        yield shapes, attrs
        count -= 1
        if not count:
            return
    pytest.fail("hardly any attributes are accepted")


def arrays(op: Operation, shapes: Any, grid: bool) -> list[Any]:
    source = np.random.default_rng(len(op.name))
    domains = op.domains(len(shapes))
    return [d.draw(source, shape, grid) for d, shape in zip(domains, shapes, strict=True)]


def with_attributes(op: Operation, attrs: dict[str, Any]) -> Callable[..., list[Any]]:
    """PyTorch's function with attributes, as a function that returns all results."""
    passed = {name: op.kinds[name].to_python(value) for name, value in attrs.items()}

    def function(*xs: Any) -> list[Any]:
        results = op.function(*xs, **passed)
        assert not isinstance(results, list), "several results are a tuple"
        return list(results) if isinstance(results, tuple) else [results]

    return function


@pytest.mark.parametrize("name", ROWS)
def test_values_are_finite_in_the_domain(name: str) -> None:
    op = OPS[name]
    for shapes, attrs in draws(op):
        for grid in (False, True):
            operands = arrays(op, shapes, grid)
            inside = zip(op.domains(len(shapes)), operands, strict=True)
            assert all(domain.contains(a) for domain, a in inside), (shapes, grid)
            results = with_attributes(op, attrs)(*map(torch.tensor, operands))
            assert [tuple(y.shape) for y in results] == list(op.output_shapes(shapes, **attrs))
            assert all(torch.isfinite(y).all() for y in results), (operands, attrs)


@pytest.mark.parametrize("name", ROWS)
def test_gradients_are_those_of_differences(name: str) -> None:
    op = OPS[name]
    for shapes, attrs in draws(op):
        function = with_attributes(op, attrs)
        source = np.random.default_rng(1)
        xs = [torch.tensor(a, requires_grad=True) for a in arrays(op, shapes, grid=False)]
        results = function(*xs)
        assert all(y is not x for y in results for x in xs), "an operand itself is returned"
        weights = [torch.tensor(source.normal(size=tuple(y.shape))) for y in results]
        gradients = torch.autograd.grad(results, xs, weights, allow_unused=True)
        wanted = op.differentiable or (True,) * len(xs)
        given = [g is not None for g, is_wanted in zip(gradients, wanted, strict=True) if is_wanted]
        assert all(given), (shapes, attrs)
        found = [
            torch.zeros_like(x) if g is None else g for g, x in zip(gradients, xs, strict=True)
        ]
        assert all(torch.isfinite(g).all() for g in found), (xs, attrs)
        if op.smooth:
            _compare(function, xs, weights, found)


def _compare(function: Callable[..., list[Any]], xs: Any, weights: Any, gradients: Any) -> None:
    """Compare gradients with central differences along a direction."""
    source = np.random.default_rng(2)
    steps = [torch.tensor(source.uniform(0.5, 1, tuple(x.shape))) for x in xs]
    with torch.no_grad():
        ends = [
            [x + sign * STEP * step for x, step in zip(xs, steps, strict=True)] for sign in (1, -1)
        ]
        above, below = (
            sum((y * w).sum() for y, w in zip(function(*end), weights, strict=True)) for end in ends
        )
        along = sum((g * step).sum() for g, step in zip(gradients, steps, strict=True))
        scale = max(1.0, *(float(g.abs().max()) if g.numel() else 0.0 for g in gradients))
    slope = (above - below) / (2 * STEP)
    assert abs(float(slope - along)) < NEAR * scale, (xs, float(slope), float(along))


@pytest.mark.parametrize("name", ROWS)
def test_attributes_are_plain_data(name: str) -> None:
    op = OPS[name]
    for shapes, _ in draws(op, 2):
        for attrs in op.attribute_choices(shapes):
            assert list(attrs) == list(op.kinds)
            for attribute, value in attrs.items():
                assert is_plain(value), value
                assert op.kinds[attribute].check(value), (attribute, value)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_travels_as_plain_data(name: str) -> None:
    op = OPS[name]
    data = {f.name: getattr(op, f.name) for f in fields(op) if getattr(op, f.name) != f.default}
    data = {key: value for key, value in data.items() if value not in ({}, ())}
    back = _tuples(json.loads(json.dumps(data)))
    copy = Operation(**back)
    assert copy.source == op.source
    shapes, attrs = next(draws(op))
    assert copy.output_shapes(shapes, **attrs) == op.output_shapes(shapes, **attrs)


@pytest.mark.parametrize("name", [name for name in ROWS if OPS[name].arity != 1])
def test_results_require_a_gradient_as_in_pytorch(name: str) -> None:
    op = OPS[name]
    shapes, attrs = next(draws(op))
    for wanting in range(len(shapes)):
        infos = [info_of(shape, "float64", i == wanting) for i, shape in enumerate(shapes)]
        apply = Apply(name, tuple(range(len(shapes))), tuple(sorted(attrs.items())))
        xs = [torch.tensor(a) for a in arrays(op, shapes, grid=False)]
        xs[wanting].requires_grad_()
        results = with_attributes(op, attrs)(*xs)
        found = [info.requires_grad for info in apply.results(infos)]
        assert found == [y.requires_grad for y in results], f"operand {wanting} requires one"


@pytest.mark.parametrize("name", ROWS)
def test_programs_are_read_back(name: str) -> None:
    for shapes, attrs in draws(OPS[name], 2):
        leaves = tuple(Leaf(s, (0.5,) * size(s)) for s in shapes)
        apply = Apply(name, tuple(range(len(shapes))), tuple(sorted(attrs.items())))
        case = Program(leaves, (apply,))
        case.validate()
        assert program_from_json(json.loads(dumps(case))) == case
        assert program_from_text(str(case)) == case


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(one) for key, one in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def test_every_domain_and_kind_is_described() -> None:
    assert all(domain.words for domain in DOMAINS.values())
    assert all(kind.words for kind in NAMED_KINDS.values())


def test_an_expression_may_be_what_first_makes_a_tensor_of_a_list() -> None:
    code = (
        "from parity.language.expression import compiled; "
        "print(compiled('lambda: torch.tensor([0.5, 1.0])')().tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[0.5, 1.0]\n"
