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
from heapq import heappop, heappush
from typing import Any

import numpy as np

from dezero.graph import Array, Leaf, Node, Parts, grad_dtype
from dezero.modes import using_config
from dezero.primitive import Copy
from dezero.variable import Variable, variable_on

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
    root = variable._node
    if root is None:
        raise RuntimeError(
            "element 0 of variables does not require grad and does not have a grad_fn"
        )
    seed = _seed(variable, gradient, create_graph)
    free = not (create_graph if retain_graph is None else retain_graph)
    if not create_graph:
        _run(root, seed, False, free, retain_grad)
    else:
        with using_config("enable_backprop", True):  # also under no_grad, semantics.md 4.6
            _run(root, seed, True, free, retain_grad)


def _run(root: Node | Leaf, seed: Any, create_graph: bool, free: bool, keep: bool) -> None:
    if isinstance(root, Leaf):
        sums = [(root, seed, False)]
    else:
        sums = propagate(root, seed, create_graph, free, keep)
    # Leaves change only now, all together: a pass that fails changes none.
    with _accumulating:
        for leaf, grad, owned in sums:
            _accumulate(leaf, grad, owned, create_graph)


def propagate(
    root: Node, seed: Any, create_graph: bool, free: bool, keep: bool
) -> list[tuple[Leaf, Any, bool]]:
    """Run the nodes behind ``root``; return each leaf reached with the sum of this pass.

    The third of each triple says that the sum is an array that nobody else holds.
    """
    # What arrived so far, of leaves and of nodes in the heap, and whether it is an array of
    # this pass alone, which may be added to in place.
    sums: dict[Leaf, list[Any]] = {}
    waiting: dict[Node, list[Any]] = {}
    heap: list[tuple[int, Node]] = []  # nodes that wait for their turn, newest first
    in_place = not create_graph
    node, gy = root, seed
    while True:
        saved = node.saved
        if keep or node.kept is not None:
            _keep(node, gy, create_graph)
        gxs: Any
        if saved is None:
            if node.edges:
                raise RuntimeError(_FREED)
            gxs = ()  # cut by unchain_backward
        elif not node.direct:
            gxs = node.gradients(gy, create_graph)
        elif create_graph:
            gxs = node.backward(gy, node.lifted())
        else:
            gxs = node.backward(gy, saved)
        if gxs.__class__ is not tuple:
            gxs = (gxs,)
        if node.fix is not None:
            gxs = node.fixed(gxs)
        if free:
            node.saved = None
        # The newest node reached here stays out of the heap: in a chain, every one.
        newest: Node | None = None
        total: Any = None
        edge: Any
        for edge, gx in zip(node.edges, gxs):  # noqa: B905 - an argument costs time
            if edge is None or gx is None:
                continue
            if edge is newest:
                total = total + gx
            elif (entry := (sums if edge.__class__ is Leaf else waiting).get(edge)) is not None:
                if entry[1]:
                    entry[0] += gx
                else:
                    entry[0] = entry[0] + gx
                    entry[1] = in_place
            elif edge.__class__ is Leaf:
                sums[edge] = [gx, in_place and node.fresh]
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


def _seed(variable: Variable, gradient: Any, create_graph: bool) -> Any:
    """The gradient of the root: of its shape and dtype (semantics.md 4.2, 4.3)."""
    dtype = grad_dtype(variable._data)
    shape = variable.shape
    if gradient is None:
        data = np.ones(shape, dtype)
    else:
        if isinstance(gradient, Variable):
            data = gradient._data
        else:
            data = np.asarray(gradient)
            if data.dtype.kind not in "fiub":
                raise TypeError(f"gradient can be a Variable or an ndarray, got {gradient!r}")
        if data.shape != shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[0] has a shape of {data.shape} and output[0] has "
                f"a shape of {shape}."
            )
        if create_graph and isinstance(gradient, Variable):
            return gradient if data.dtype == dtype else gradient.astype(dtype)
    if create_graph:
        return variable_on(np.array(data, dtype), None)
    # A 0-d seed goes on as a NumPy scalar, see graph.Data.
    return data.astype(dtype)[()] if shape == () else data.astype(dtype, copy=False)


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
        if isinstance(old._node, Node):
            old._node = None  # the value is no longer what that graph computed


def _keep(node: Node, gy: Any, create_graph: bool) -> None:
    """Keep the gradient of an intermediate Variable; sums are new objects (semantics.md 5.2)."""
    if isinstance(gy, Parts):  # a function with several outputs: their own nodes keep theirs
        return
    old = node.kept
    if isinstance(old, Variable):
        node.kept = old + gy
    elif create_graph:
        node.kept = Copy()(gy)
    else:
        node.kept = variable_on(np.array(gy), None)
