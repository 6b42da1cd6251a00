"""The exact evaluation as an engine: exact numbers, derivatives in forward mode."""

from __future__ import annotations

import functools
import itertools
import math
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Context
from typing import Any

import numpy as np

from parity.engines.base import Engine, Unsupported
from parity.language.table import OPS, result_dtype
from parity.oracle.exact import graph
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.building import ExactRule
from parity.oracle.exact.graph import Call, Leaf, Node, Result, Taken, Term
from parity.oracle.exact.rules import RULES

#: The most derivatives, of each element of a value for each element of the leaves. What has more
#: counts as beyond the numbers that are computed here, and is not compared.
MOST_DERIVATIVES = 2**21


class Exact(Engine):
    """Values are rational or have 50 digits; gradients are found without going back.

    What PyTorch's events do to gradients, and where it raises, follows docs/semantics.md.
    ``left_reals_count`` counts the calls in which something left the real numbers (a pole, nan,
    infinity, floats too large for their dtype): there it computes on as IEEE 754 does,
    but a derivative that goes forward need not be the one that goes back (9.1).
    """

    name = "exact"
    version = "1"
    follows_meanings = True

    def __init__(self) -> None:
        self.left_reals_count = 0
        #: Whether a backward had too many elements, and did nothing.
        self.is_beyond = False
        self._numbers = itertools.count()
        self._recording = True
        #: The exact gradients of computed values that are kept.
        self._kept: weakref.WeakKeyDictionary[Node, nu.Array | None] = weakref.WeakKeyDictionary()
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

    def grad(self, t: Node) -> Any:
        if isinstance(t, Leaf):
            return t.buffer
        total = self._kept.get(t)
        with self._precise():
            return None if total is None else nu.to_floats(total, t.dtype).reshape(t.shape)

    def backward(self, t: Node, gradient: Any = None, **flags: Any) -> None:
        """Raises RuntimeError where PyTorch does (docs/semantics.md 1.2, 4.1, 4.2, 4.4)."""
        self.backward_many([t], [gradient], **flags)

    def backward_many(
        self,
        ts: Sequence[Node],
        gs: Sequence[Any],
        *,
        inputs: Sequence[Leaf] | None = None,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        roots, nodes = self._start(ts, gs, inputs, retain_graph or create_graph)
        leaves = [node for node in nodes if isinstance(node, Leaf)]
        if self._goes_beyond(nodes, leaves):
            return
        with self._precise(nodes):
            sums = graph.gradients(roots, leaves)
            self._keep(roots, nodes)
            for leaf, g in sums.items():
                if inputs is None or leaf in inputs:
                    leaf.accumulate(g, anew=create_graph)
                    leaf.terms += _terms(roots, leaf) if create_graph else ()

    def _start(
        self, ts: Sequence[Node], gs: Sequence[Any], inputs: Sequence[Node] | None, retain: bool
    ) -> tuple[list[tuple[Node, nu.Array]], list[Node]]:
        """The roots with their gradients, and the nodes that a pass runs, oldest first."""
        roots = [(t, self._seed(t, g)) for t, g in zip(ts, gs, strict=True)]
        several = dict.fromkeys(node for t in ts for node in graph.behind(t))
        nodes = sorted(several, key=lambda node: node.number)
        if inputs is not None:
            nodes = graph.leading(nodes, inputs)
        ran: list[Call | Term] = [n.call for n in nodes if isinstance(n, Result) and n.call.saves]
        ran += [term for n in nodes if isinstance(n, Taken) for term in n.terms]
        if any(one.freed for one in ran):
            raise RuntimeError("backward through the graph a second time; use retain_graph")
        for one in ran:
            one.freed = not retain
        return roots, nodes

    def _goes_beyond(self, nodes: Sequence[Node], inputs: Sequence[Node]) -> bool:
        """Whether a pass would have too many derivatives."""
        largest = max((math.prod(node.shape) for node in nodes), default=0)
        if largest * sum(math.prod(x.shape) for x in inputs) <= MOST_DERIVATIVES:
            return False
        self.is_beyond = True
        self.left_reals_count += 1
        return True

    def _keep(self, roots: list[tuple[Node, nu.Array]], nodes: list[Node]) -> None:
        """Add to the gradients that are kept of computed values."""
        for node, old in self._kept.items():
            # The hooks of a root alone run in any case, and they keep its gradient.
            ran = node in nodes or [node] == [root for root, _ in roots]
            more = graph.gradient_of(roots, node) if ran else None
            if more is not None:
                self._kept[node] = more if old is None else nu.add(old, more)

    def grad_of_values(
        self,
        ys: Sequence[Node],
        xs: Sequence[Node],
        gs: Sequence[Any],
        *,
        create_graph: bool = False,
        retain_graph: bool = False,
        allow_unused: bool = False,
    ) -> tuple[Node | None, ...]:
        """Raises RuntimeError where PyTorch does (docs/semantics.md 7.4)."""
        if create_graph and not all(isinstance(x, Leaf) for x in xs):
            raise Unsupported("derivatives of gradients for computed values")
        roots, nodes = self._start(ys, gs, xs, retain_graph or create_graph)
        if self._goes_beyond(nodes, xs):
            raise Unsupported("gradients of very many elements")
        with self._precise(nodes):
            found = [graph.gradient_of(roots, x) for x in xs]
            self._keep(roots, nodes)
        if not allow_unused and any(g is None for g in found):
            raise RuntimeError("one of the tensors was not used; allow_unused gives None")
        return tuple(
            None if g is None else self._result(x, g, roots, create_graph)
            for x, g in zip(xs, found, strict=True)
        )

    def _result(
        self, x: Node, g: nu.Array, roots: list[tuple[Node, nu.Array]], recorded: bool
    ) -> Node:
        number, real = next(self._numbers), x.real
        if not (recorded and isinstance(x, Leaf)):
            return Node(number, g, x.shape, x.dtype, real, False)
        terms = tuple(term for term in _terms(roots, x) if term.nonlinear)
        return Taken(number, g, x.shape, x.dtype, real, bool(terms), terms)

    def hook(self, t: Node, function: Any) -> Any:
        raise Unsupported("hooks")

    def retain_grad(self, t: Node) -> None:
        if not isinstance(t, Leaf):
            self._kept.setdefault(t, None)

    def set_grad(self, t: Leaf, array: Any) -> None:
        t.assign(array)

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
    def _recording_set(self, on: bool) -> Iterator[None]:
        outer, self._recording = self._recording, on
        try:
            yield
        finally:
            self._recording = outer

    def no_grad(self) -> AbstractContextManager[None]:
        return self._recording_set(False)

    def enable_grad(self) -> AbstractContextManager[None]:
        return self._recording_set(True)

    def requires_grad(self, t: Node) -> bool:
        return t.requires_grad

    def detach(self, t: Node) -> Node:
        return Node(next(self._numbers), t.exact, t.shape, t.dtype, t.real, False)


def _terms(roots: Sequence[tuple[Node, nu.Array]], leaf: Leaf) -> tuple[Term, ...]:
    """Where the gradient of a leaf comes from, in a recorded pass."""
    behind = {root: graph.behind(root) for root, _ in roots}
    return tuple(
        Term(root, seed, leaf, leaf in graph.nonlinear_leaves(behind[root]))
        for root, seed in roots
        if leaf in behind[root]
    )
