"""The exact evaluation as an engine: exact numbers, derivatives in forward mode."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Context
from typing import Any

import numpy as np

from parity.engines.base import Engine
from parity.language.table import OPS, result_dtype
from parity.oracle.exact import graph
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.building import ExactRule
from parity.oracle.exact.graph import Call, Leaf, Node, Result, Taken, Term
from parity.oracle.exact.rules import RULES


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
        rules = {name: operation.exact_rule or RULES.get(name) for name, operation in OPS.items()}
        self.ops: dict[str, Any] = {  # type: ignore[misc]
            name: functools.partial(self._apply, name, rule) for name, rule in rules.items() if rule
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
        real = bool(np.isfinite(array).all())
        self.left_reals_count += not real
        exact, dtype = nu.from_floats(array), str(array.dtype)
        return Leaf(next(self._numbers), exact, array.shape, dtype, real, requires_grad)

    def value(self, t: Node) -> Any:
        with self._precise():
            return nu.to_floats(t.exact, t.dtype).reshape(t.shape)

    def _apply(self, name: str, rule: ExactRule, *xs: Node, **attrs: Any) -> Any:
        """Apply an operation; the results are constants if no derivative passes through."""
        shapes = tuple(x.shape for x in xs)
        dtype = result_dtype(name, [x.dtype for x in xs], shapes)
        if dtype is None:
            raise TypeError(f"{name} of {', '.join(x.dtype for x in xs)}")
        with self._precise(xs) as context:
            values = rule.run(shapes, attrs, *[x.exact for x in xs])
            arrays = [(nu.shortened(np.asarray(v)), shape) for v, shape in values]
            real = not nu.left_reals(context)
        needs = tuple(x.requires_grad for x in xs)
        call = None
        if self._recording and any(needs):
            nonlinear = tuple(rule.nonlinear(i, needs, attrs) for i in range(len(xs)))
            call = Call(rule, attrs, xs, nonlinear, OPS[name].saves)
        results: list[Node] = []
        for index, (exact, shape) in enumerate(arrays):
            number = next(self._numbers)
            if call is None:
                results.append(Node(number, exact, shape, dtype, real, False))
            else:
                results.append(Result(number, exact, shape, dtype, real, True, call, index))
        return tuple(results) if len(results) > 1 or name == "split" else results[0]

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
        nodes = graph.behind(t)
        ran: list[Call | Term] = [n.call for n in nodes if isinstance(n, Result) and n.call.saves]
        ran += [term for n in nodes if isinstance(n, Taken) for term in n.terms]
        if any(one.freed for one in ran):
            raise RuntimeError("backward through the graph a second time; use retain_graph")
        for one in ran:
            one.freed = not (retain_graph or create_graph)
        leaves = tuple(node for node in nodes if isinstance(node, Leaf))
        nonlinear = graph.nonlinear_leaves(nodes) if create_graph else set()
        with self._precise(nodes):
            for leaf, g in graph.gradients(t, seed, leaves):
                leaf.accumulate(g, anew=create_graph)
                if create_graph:
                    leaf.terms += (Term(t, seed, leaf, leaf in nonlinear),)

    def _seed(self, t: Node, gradient: Any) -> nu.Array:
        """The gradient of the root, of its shape and dtype."""
        if gradient is None and math.prod(t.shape) != 1:
            raise RuntimeError("a gradient can be implied only for one element")
        if gradient is not None and np.shape(gradient) != t.shape:
            raise RuntimeError(f"the gradient has shape {np.shape(gradient)}, not {t.shape}")
        if not t.requires_grad:
            raise RuntimeError("the root does not require a gradient")
        array = np.asarray(1.0 if gradient is None else gradient).astype(t.dtype)
        self.left_reals_count += not np.isfinite(array).all()
        return nu.from_floats(array)

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
        real = bool(np.isfinite(t.buffer).all())
        terms = tuple(term for term in t.terms if term.nonlinear)
        return Taken(next(self._numbers), exact, t.shape, t.dtype, real, bool(terms), terms)

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        outer, self._recording = self._recording, False
        try:
            yield
        finally:
            self._recording = outer

    def detach(self, t: Node) -> Node:
        return Node(next(self._numbers), t.exact, t.shape, t.dtype, t.real, False)
