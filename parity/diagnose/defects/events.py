"""What the correct engine has beside a backward from one root: hooks, kept and assigned gradients,
passes from several roots, and gradients as results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from parity.diagnose.defects.changing import Changing
from parity.diagnose.defects.tensor import Node, Tensor, raw


class Handle:
    """A hook that can be taken away."""

    def __init__(self, hooks: dict[Any, Any], number: Any) -> None:
        self.hooks, self.number = hooks, number

    def remove(self) -> None:
        self.hooks.pop(self.number, None)


class TapeEvents(Changing):
    """Steps of these events; those of a pass itself are in ``TapeEngine``."""

    numbers: Iterator[int]
    gradients: Callable[[], Any]
    seed: Callable[[Tensor, Any], Any]
    carried: Callable[[Any], Any]
    order: Callable[[Tensor, Any], Iterator[Node]]
    run: Callable[[Node, Any, bool], None]
    finish: Callable[[Any], None]

    # Hooks, and gradients that are kept.

    def hook(self, t: Tensor, function: Callable[[Tensor], Tensor | None]) -> Handle:
        number = next(self.numbers)
        t.hooks[number] = function
        return Handle(t.hooks, number)

    def hooks_of(self, t: Tensor) -> list[Any]:
        return list(t.hooks.values())

    def hooked(self, t: Tensor, g: Any) -> Any:
        """A gradient after the hooks of its tensor."""
        for function in self.hooks_of(t):
            given = g if isinstance(g, Tensor) else Tensor(self, np.array(g), False)
            g = self.replaced(g, function(given))
        return g

    def replaced(self, g: Any, result: Tensor | None) -> Any:
        """A gradient after a hook that returned ``result``."""
        return g if result is None else result if isinstance(g, Tensor) else result.data

    def hooked_sum(self, t: Tensor, g: Any) -> Any:
        """All of a pass that arrived at a tensor, after its hooks."""
        return self.hooked(t, g) if t.hooks else g

    def retain_grad(self, t: Tensor) -> None:
        t.retains = t.node is not None

    def settle(self, node: Node, grads: Any) -> None:
        """Call hooks of the outputs of a node, and keep their gradients, before it runs."""
        for t in node.outputs:
            if (t.hooks or t.retains) and t in grads:
                grads[t] = self.settled(t, grads[t])

    def settled(self, t: Tensor, g: Any) -> Any:
        g = self.hooked_sum(t, g)
        if t.retains:
            self.keep(t, raw(g))
        return g

    def keep(self, t: Tensor, g: Any) -> None:
        t.grad = np.array(g) if t.grad is None else t.grad + g

    # Gradients that the user assigns.

    def set_grad(self, t: Tensor, array: Any) -> None:
        t.grad, t.recorded = self.assigned(t, array), None

    def assigned(self, t: Tensor, array: Any) -> Any:
        return array.copy()

    # Passes from several roots.

    def backward_many(
        self,
        ts: Sequence[Tensor],
        gs: Sequence[Any],
        *,
        inputs: Sequence[Tensor] | None = None,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        with self.recording_set(create_graph):
            pairs = self.pairs(ts, gs)
            chosen = self.chosen(inputs)
            grads = self.swept(pairs, retain_graph or create_graph, chosen)
            leaves = (t for t in grads if chosen is None or t in chosen)
            self.finish({t: grads[t] for t in leaves})

    def chosen(self, inputs: Sequence[Tensor] | None) -> Sequence[Tensor] | None:
        return inputs

    def pairs(self, ts: Sequence[Tensor], gs: Sequence[Any]) -> list[tuple[Tensor, Any]]:
        """The roots with what they start with."""
        if not all(t.requires_grad for t in ts):
            raise RuntimeError("a root does not require a gradient")
        return [(t, self.carried(self.seed(t, g))) for t, g in zip(ts, gs, strict=True)]

    def swept(
        self, pairs: list[tuple[Tensor, Any]], retain: bool, inputs: Sequence[Tensor] | None
    ) -> Any:
        """The gradients of a pass, of which only what leads to ``inputs`` runs."""
        grads = self.gradients()
        for t, g in pairs:
            grads[t] = grads[t] + g if t in grads else g
        roots = list(dict.fromkeys(t for t, _ in pairs))
        nodes = list(self.order(roots[0], grads) if len(roots) == 1 else self.order_of(roots))
        ends = {} if inputs is None else dict.fromkeys(t.node for t in inputs)
        leading = None if inputs is None else self.leading(nodes, inputs)
        for node in nodes:
            if leading is None or node in leading:
                self.run(node, grads, retain)
            elif node in ends or [t for t, _ in pairs] == [*node.outputs]:
                self.settle(node, grads)
        return grads

    def order_of(self, roots: Sequence[Tensor]) -> list[Node]:
        found = {node for root in roots for node in self.order(root, {})}
        return sorted(found, key=lambda n: -n.number)

    def leading(self, nodes: Sequence[Node], inputs: Sequence[Tensor]) -> set[Node]:
        """The nodes that send something towards one of ``inputs``."""
        found: set[Node] = set()
        for node in sorted(nodes, key=lambda n: n.number):
            if any(t in inputs or t.node in found for t in node.parents if t.requires_grad):
                found.add(node)
        return found

    # Gradients as results.

    def grad_of_values(
        self,
        ys: Sequence[Tensor],
        xs: Sequence[Tensor],
        gs: Sequence[Any],
        *,
        create_graph: bool = False,
        retain_graph: bool = False,
        allow_unused: bool = False,
    ) -> tuple[Tensor | None, ...]:
        with self.recording_set(create_graph):
            grads = self.swept(self.pairs(ys, gs), retain_graph or create_graph, xs)
            if not allow_unused and not all(x in grads for x in xs):
                raise RuntimeError("a tensor was not used; allow_unused=True gives None for it")
            return tuple(self.result(x, grads[x]) if x in grads else self.unused(x) for x in xs)

    def result(self, x: Tensor, g: Any) -> Tensor:
        g = self.hooked_sum(x, g) if x.node is None else g
        return g if isinstance(g, Tensor) else Tensor(self, np.array(g), False)

    def unused(self, x: Tensor) -> Tensor | None:
        return None
