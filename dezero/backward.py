"""The backward pass: from one Variable to the leaves, each node once, no recursion.

Order and sums follow PyTorch (semantics.md 15), since floating-point addition
is not associative and gradients are to agree in every bit:

- nodes run in strictly decreasing order of creation. A consumer is always newer
  than what it consumes, so a node's gradient is complete when its turn comes;
- contributions are summed from the left in the order in which they arrive, those
  of one node in the order of its inputs;
- a gradient that a leaf has already is added last.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero.given import seed_of
from dezero.graph import Array, Leaf, Node, Parts
from dezero.hooks import hooked
from dezero.modes import using_config
from dezero.modified import modified
from dezero.primitive import Copy
from dezero.variable import Variable, variable_on

if TYPE_CHECKING:
    from dezero.gradient import Targets

_FREED = (
    "Trying to backward through the graph a second time (or directly access saved arrays after "
    "they have already been freed). Saved intermediate values of the graph are freed when you "
    "call .backward(). Specify retain_graph=True if you need to backward through the graph a "
    "second time."
)
#: Leaves may be shared by threads (semantics.md 14.1): one adds at a time.
_accumulating = threading.Lock()


def backward(
    variable: Variable,
    gradient: Variable | Array | float | None,
    retain_grad: bool,
    create_graph: bool,
    retain_graph: bool | None,
) -> None:
    """What ``Variable.backward`` does; see there."""
    root = root_of(variable, 0)
    seed = seed_of(variable, gradient, create_graph)
    free = not (create_graph if retain_graph is None else retain_graph)
    if not create_graph:
        _run(root, seed, False, free, retain_grad)
    else:
        with using_config("enable_backprop", True):  # also under no_grad, semantics.md 4.6
            _run(root, seed, True, free, retain_grad)


def _run(root: Node | Leaf, seed: Any, create_graph: bool, free: bool, keep: bool) -> None:
    sums = [
        (leaf, hooked(leaf, grad, create_graph), False) if leaf.hooks else (leaf, grad, owned)
        for leaf, grad, owned in propagate([(root, seed)], create_graph, free, keep)
    ]
    # Leaves change only now, all together: a pass that fails changes none.
    with _accumulating:
        for leaf, grad, owned in sums:
            _accumulate(leaf, grad, owned, create_graph)
    for leaf, _, _ in sums:
        for hook in list((leaf.after_hooks or {}).values()):
            x = leaf.variable()
            if x is not None:
                hook(x)


def propagate(
    roots: Sequence[tuple[Node | Leaf, Any]],
    create_graph: bool,
    free: bool,
    keep: bool = False,
    targets: Targets | None = None,
) -> list[tuple[Leaf, Any, bool]]:
    """Run the nodes behind ``roots``; return each leaf reached with the sum of this pass.

    ``roots``: nodes with their gradients. ``targets``: what a pass of ``grad`` is
    after. The third of each triple says that the sum is an array that nobody
    else holds.
    """
    # What arrived so far, of leaves and of nodes in the heap, and whether it is an array of
    # this pass alone, which may be added to in place.
    sums: dict[Leaf, list[Any]] = {}
    waiting: dict[Node, list[Any]] = {}
    heap: list[tuple[int, Node]] = []  # nodes that wait for their turn, newest first
    in_place = not create_graph
    changes = modified.times
    plain = in_place and targets is None and not keep and not changes
    # The leaf of the last contribution and its entry in `sums`: often it is the next one's, too.
    leaf: Any = None
    at_leaf: list[Any] = []
    gxs: Any
    for root, seed in roots:
        known: dict[Any, list[Any]] = sums if isinstance(root, Leaf) else waiting
        if root in known:
            known[root] = [known[root][0] + seed, in_place]
            continue
        known[root] = [seed, False]
        if isinstance(root, Node):
            heappush(heap, (-root.seq, root))
    if not heap:
        return [(leaf, *entry) for leaf, entry in sums.items()]
    node = heappop(heap)[1]
    gy = waiting.pop(node)[0]
    while True:
        saved, edges = node.saved, node.edges
        if node.extra is None and plain and saved is not None:
            if free:
                node.saved = None  # at once: of two threads one gets it, the other the error
            gxs = node.backward(gy, saved)
        elif plain and saved is not None and node.extra.fix and node.extra.kept is None:  # type: ignore[union-attr]
            if free:
                node.saved = None
            gxs = node.fixed(node.backward(gy, saved))
        else:
            if targets is not None:
                edges = targets.wanted(node, gy)
            if keep or node.kept is not None:
                _keep(node, gy, create_graph)
            gxs = _run_node(node, edges, gy, create_graph, free)
            plain = plain and not changes  # a user's function may have changed an array
        if gxs.__class__ is not tuple:
            gxs = (gxs,)
        # The newest node reached here stays out of the heap: in a chain, every one.
        newest: Node | None = None
        total: Any = None
        edge: Any
        for edge, gx in zip(edges, gxs):  # noqa: B905 - an argument costs time
            if edge is None or gx is None:
                continue
            if edge.__class__ is Leaf:
                if edge is not leaf:
                    leaf = edge
                    if edge not in sums:
                        sums[edge] = at_leaf = [gx, in_place and node.fresh]
                        continue
                    at_leaf = sums[edge]
                if at_leaf[1]:
                    at_leaf[0] += gx
                else:
                    at_leaf[0] = at_leaf[0] + gx
                    at_leaf[1] = in_place
            elif edge is newest:
                total = total + gx
            elif waiting and edge in waiting:  # not in a chain
                entry = waiting[edge]
                if entry[1]:
                    entry[0] += gx
                else:
                    entry[0] = entry[0] + gx
                    entry[1] = in_place
            elif newest is None:
                newest, total = edge, gx
            else:
                if edge.seq > newest.seq:
                    newest, edge, total, gx = edge, newest, gx, total
                waiting[edge] = [gx, False]
                heappush(heap, (-edge.seq, edge))
        if newest is not None:
            if not heap or newest.seq > -heap[0][0]:
                node, gy = newest, total
                continue
            waiting[newest] = [total, False]
            heappush(heap, (-newest.seq, newest))
        if not heap:
            return [(leaf, *entry) for leaf, entry in sums.items()]
        node = heappop(heap)[1]
        gy = waiting.pop(node)[0]


def root_of(variable: Variable, index: int) -> Node | Leaf:
    if variable._node is None:
        raise RuntimeError(
            f"element {index} of variables does not require grad and does not have a grad_fn"
        )
    return variable._node


def _run_node(node: Node, edges: Any, gy: Any, create_graph: bool, free: bool) -> Any:
    """The gradients that a node sends along ``edges``, in every case but the plain one."""
    if not edges:  # cut by unchain_backward, or a target with nothing wanted behind it
        return ()
    saved = node.saved
    if free and node.direct:
        node.saved = None
    if saved is None:
        raise RuntimeError(_FREED)
    if modified.times:
        modified.check(node, saved)
    if node.direct:
        gxs = node.backward(gy, node.lifted(saved) if create_graph else saved)
    else:
        gxs = node.gradients(gy, create_graph)
        if free:  # not before: a user's backward asks for its inputs
            node.saved = None
    return node.fixed(gxs) if node.extra is not None and node.extra.fix else gxs


def _accumulate(leaf: Leaf, grad: Any, owned: bool, create_graph: bool) -> None:
    """Add the sum of a pass to the gradient of a leaf (semantics.md 2.1, 2.2, 15.4).

    The leaf gets an array of its own: never that of another leaf, of an
    output's gradient, or of the user.
    """
    x = leaf.variable()
    if x is None or x._node is not leaf:  # gone, or no longer requires a gradient
        return
    old = x._grad
    if create_graph:
        x._grad = Copy()(grad) if old is None else old + grad
    elif old is None:
        own = owned and grad.__class__ is np.ndarray
        x._grad = variable_on(grad if own else np.array(grad), None)
    else:
        np.add(old.data, grad, out=old.data)
        modified.note(old.data)
        if isinstance(old._node, Node):
            old._node = None  # the value is no longer what that graph computed


def _keep(node: Node, gy: Any, create_graph: bool) -> None:
    """Keep the gradient of an intermediate Variable; sums are new objects (semantics.md 5.2)."""
    if isinstance(gy, Parts):  # a function with several outputs: their own nodes keep theirs
        return
    old = node.kept
    if isinstance(old, Variable):
        node.keep(old + gy)
    elif create_graph:
        node.keep(Copy()(gy))
    else:
        node.keep(variable_on(np.array(gy), None))
