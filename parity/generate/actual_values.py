"""Actual values of a program under construction: PyTorch computes them while it is built.

An operation without an interval rule may be applied where its operands lie in its domain, and only
their numbers say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from parity.language import program as pr
from parity.language.intervals import LIMIT, Interval
from parity.language.operation import Operation
from parity.language.shapes import Attrs
from parity.language.table import OPS, keywords


class ActualValues:
    """The tensors of a program so far; None for values that are not known."""

    def __init__(self) -> None:
        import torch  # only here: inputs are read where PyTorch is not needed

        self.torch = torch
        self.tensors: list[Any] = []

    def add_leaf(self, leaf: pr.Leaf) -> None:
        self.tensors.append(self.torch.from_numpy(leaf.array()))

    def add(self, statement: pr.Statement, count: int) -> None:
        """Add the ``count`` results of a statement."""
        results: Sequence[Any] | None = None
        if isinstance(statement, pr.Apply):
            results = self.results(OPS[statement.op], statement.inputs, statement.attrs)
        elif isinstance(statement, pr.Detach):
            results = [self.tensors[statement.value]]
        self.tensors += results if results is not None else [None] * count

    def fits(self, op: Operation, inputs: Sequence[int]) -> bool:
        """Return whether values lie in the domain of an operation."""
        tensors = [self.tensors[i] for i in inputs]
        return all(t is not None for t in tensors) and all(
            domain.contains(t.numpy())
            for domain, t in zip(op.domains(len(tensors)), tensors, strict=True)
        )

    def results(self, op: Operation, inputs: Sequence[int], attrs: Attrs) -> list[Any] | None:
        """Return the results of an operation; None if they are not finite or not known."""
        tensors = [self.tensors[i] for i in inputs]
        if any(t is None for t in tensors):
            return None
        try:
            with self.torch.no_grad():
                result = op.function(*tensors, **keywords(op.name, attrs))
        except (RuntimeError, ValueError, TypeError, IndexError):
            return None
        several = list(result) if isinstance(result, (tuple, list)) else [result]
        return several if all(bool(self.torch.isfinite(t).all()) for t in several) else None

    def interval(self, op: Operation, inputs: Sequence[int], attrs: Attrs) -> Interval | None:
        """Return between which bounds the results lie; None outside the domain."""
        results = self.results(op, inputs, attrs) if self.fits(op, inputs) else None
        if results is None:
            return None
        numbers = np.concatenate([t.numpy().ravel() for t in results])
        low, high = float(numbers.min(initial=LIMIT)), float(numbers.max(initial=-LIMIT))
        return (low, high) if low <= high else (0.0, 0.0)
