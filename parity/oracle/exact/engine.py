"""The exact evaluation as an engine: exact numbers, derivatives in forward mode."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Context
from typing import Any

import numpy as np

from parity.engines.base import Engine
from parity.language.table import OPS, result_dtype
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.graph import (
    Call,
    Leaf,
    Node,
    Result,
    Taken,
    Term,
    behind,
    gradients,
    nonlinear_leaves,
    size_of,
)
from parity.oracle.exact.lowering import ExactRule, Lowering
from parity.oracle.exact.rules import exact_rules


class Exact(Engine):
    """Values are rational or have 50 digits; gradients are found without going back.

    What PyTorch's events do to gradients, and where it raises, follows docs/semantics.md.
    ``left_reals_count`` counts the calls in which something left the real numbers (a pole, nan,
    infinity, floats too large for their dtype): there it computes on as IEEE 754 does,
    but a derivative that goes forward need not be the one that goes back (9.1).
    """

    name = "exact"
    version = "1"

    def __init__(self) -> None:
        self.left_reals_count = 0
        self._numbers = itertools.count()
        self._recording = True
        self.ops: dict[str, Any] = {  # type: ignore[misc]
            name: functools.partial(self._apply, name, rule) for name, rule in exact_rules().items()
        }

    @contextmanager
    def _precise(self, operands: Iterable[Node] = ()) -> Iterator[Context]:
        """Compute exactly; count results and operands that are not real numbers."""
        with nu.precise() as context:
            if not all(x.real for x in operands):
                nu.leave_reals()
            try:
                yield context
            finally:
                self.left_reals_count += nu.left_reals(context)

    def leaf(self, array: Any, requires_grad: bool = True) -> Leaf:
        array = np.asarray(array)
        exact = nu.from_floats(array)
        t = Leaf(next(self._numbers), exact, array.shape, str(array.dtype), requires_grad)
        t.real = bool(np.isfinite(array).all())
        self.left_reals_count += not t.real
        return t

    def value(self, t: Node) -> Any:
        with self._precise():
            return nu.to_floats(t.exact, t.dtype).reshape(t.shape)

    def _apply(self, name: str, rule: ExactRule, *xs: Node, **attrs: Any) -> Any:
        shapes = tuple(x.shape for x in xs)
        dtype = result_dtype(name, [x.dtype for x in xs], shapes)
        if dtype is None:
            raise TypeError(f"{name} of {', '.join(x.dtype for x in xs)}")
        lowering = rule.lower(shapes, attrs)
        with self._precise(xs) as context:
            values = lowering.run(*[x.exact for x in xs])
            arrays = [nu.shortened(np.asarray(v)) for v in values]
            real = not nu.left_reals(context)
        results = self._results(rule, lowering, xs, attrs, arrays, OPS[name].saves, dtype)
        for t in results:
            t.real = real
        return results if len(results) > 1 or name == "split" else results[0]

    def _results(
        self,
        rule: ExactRule,
        lowering: Lowering,
        xs: tuple[Node, ...],
        attrs: dict[str, Any],
        arrays: list[nu.Array],
        saves: bool,
        dtype: str,
    ) -> tuple[Node, ...]:
        """Nodes for the results of an operation; constants if no derivative passes through."""
        values = zip(arrays, lowering.shapes, strict=True)
        needs = tuple(x.requires_grad for x in xs)
        if not (self._recording and any(needs)):
            return tuple(Node(next(self._numbers), a, shape, dtype, False) for a, shape in values)
        nonlinear = tuple(rule.nonlinear(i, needs, attrs) for i in range(len(xs)))
        call = Call(lowering, xs, nonlinear, saves)
        return tuple(
            Result(next(self._numbers), a, shape, dtype, call, index)
            for index, (a, shape) in enumerate(values)
        )

    def grad(self, t: Leaf) -> Any:
        return t.buffer

    def backward(
        self,
        t: Node,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Raises RuntimeError where PyTorch does (docs/semantics.md 1.2, 4.1, 4.2, 4.4)."""
        seed = self._seed(t, gradient)
        nodes = behind(t)
        self._run(nodes, retain_graph or create_graph)
        leaves = tuple(node for node in nodes if isinstance(node, Leaf))
        nonlinear = nonlinear_leaves(nodes) if create_graph else set()
        with self._precise(nodes):
            for leaf, g in gradients(t, seed, leaves):
                leaf.accumulate(g, anew=create_graph)
                if create_graph:
                    leaf.terms += (Term(t, seed, leaf, leaf in nonlinear),)

    def _seed(self, t: Node, gradient: Any) -> nu.Array:
        """The gradient of the root, of its shape and dtype."""
        if gradient is None and size_of(t) != 1:
            raise RuntimeError("a gradient can be implied only for one element")
        if gradient is not None and np.shape(gradient) != t.shape:
            raise RuntimeError(f"the gradient has shape {np.shape(gradient)}, not {t.shape}")
        if not t.requires_grad:
            raise RuntimeError("the root does not require a gradient")
        if gradient is None:
            return nu.array_of([1])
        array = np.asarray(gradient).astype(t.dtype)
        self.left_reals_count += not np.isfinite(array).all()
        return nu.from_floats(array)

    def _run(self, nodes: list[Node], retain: bool) -> None:
        """Free the saved arrays of a graph; RuntimeError if they were freed before."""
        ran: list[Call | Term] = [n.call for n in nodes if isinstance(n, Result) and n.call.saves]
        ran += [term for n in nodes if isinstance(n, Taken) for term in n.terms]
        if any(one.freed for one in ran):
            raise RuntimeError("backward through the graph a second time; use retain_graph")
        for one in ran:
            one.freed = not retain

    def clear_grad(self, t: Leaf) -> None:
        t.clear()

    def zero_grad(self, t: Leaf) -> None:
        if t.buffer is None:
            raise AttributeError("there is no gradient to fill with zeros")
        t.buffer.fill(0)
        t.terms = ()  # zeros depend on nothing

    def grad_tensor(self, t: Leaf) -> Node | None:
        exact = t.gradient()
        if exact is None or t.buffer is None:
            return None
        taken = Taken(next(self._numbers), t, exact)
        taken.real = bool(np.isfinite(t.buffer).all())
        return taken

    def no_grad(self) -> AbstractContextManager[Any]:
        return self._without_recording()

    @contextmanager
    def _without_recording(self) -> Iterator[None]:
        outer, self._recording = self._recording, False
        try:
            yield
        finally:
            self._recording = outer

    def detach(self, t: Node) -> Node:
        constant = Node(next(self._numbers), t.exact, t.shape, t.dtype, False)
        constant.real = t.real
        return constant
