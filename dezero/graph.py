"""The graph: nodes, and edges from node to node.

A function that was applied *is* its node; a leaf has a small node of its own. A
``Variable`` is only a handle: its array, its node and its gradient. Edges never
lead to a Variable, so an array that no backward needs is freed as soon as the
program drops it, and no reference runs in a circle: reference counts alone free
a graph.

    Variable --> Node --edges--> Node --edges--> Leaf --weak--> Variable

How the nodes run is in ``dezero/backward.py``, the gradient formulas are in
``dezero/functions/``.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dezero.variable import Variable

Array: TypeAlias = NDArray[Any]
#: What the engine computes on inside: 0-d results stay NumPy scalars there (ten
#: times faster than 0-d arrays) until somebody asks for ``Variable.data``.
Data: TypeAlias = Any

#: Creation numbers: backward runs nodes in decreasing order of them (semantics.md 15.1).
next_seq = itertools.count().__next__

#: Supported dtypes, each with that of its gradients.
GRAD_DTYPES: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(c): np.dtype(np.float64) for c in "?bBhHiIlLqQd"
}
GRAD_DTYPES[np.dtype(np.float32)] = np.dtype(np.float32)


def grad_dtype(data: Data) -> np.dtype[Any]:
    """The dtype of gradients for ``data``: its own, or float64 for integers (a divergence)."""
    return GRAD_DTYPES[data.dtype]


class Leaf:
    """The node of a Variable that no function made: where gradients arrive."""

    __slots__ = ("variable", "hooks", "after_hooks")

    def __init__(self, variable: Variable) -> None:
        self.variable = weakref.ref(variable)
        #: Functions of the sum of a pass, before it is accumulated; in order of registration.
        self.hooks: dict[int, Any] | None = None
        #: Functions of the Variable, after it was.
        self.after_hooks: dict[int, Any] | None = None


class Fix(NamedTuple):
    """What is done to the gradient of input ``number``: summed over ``axes``, then cast."""

    number: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: tuple[int, ...]
    keepdims: bool


class Extra(NamedTuple):
    """What few nodes have; nodes share it, so it is replaced and never changed."""

    #: For the inputs whose gradients do not come in their shapes and dtypes.
    fix: tuple[Fix, ...] = ()
    #: The gradient kept by ``retain_grad``; True: to be kept; None: not.
    kept: Variable | bool | None = None


class Node:
    """A step of the computation that backward goes through."""

    __slots__ = ("seq", "edges", "saved", "extra")

    #: Whether ``backward`` returns new arrays only, so that they need no copy.
    fresh: ClassVar[bool] = False
    #: Whether the pass may call ``backward(gy, saved)`` itself, without ``gradients``.
    direct: ClassVar[bool] = False

    seq: int
    edges: tuple[Node | Leaf | None, ...]
    #: What backward needs; None once it was freed, and where the graph was cut.
    saved: tuple[Any, ...] | None
    #: None for nearly all nodes: the pass asks once whether a node needs more than ``backward``.
    extra: Extra | None

    @property
    def kept(self) -> Variable | bool | None:
        """See ``Extra``."""
        return None if self.extra is None else self.extra.kept

    def keep(self, kept: Variable | bool) -> None:
        """Set ``kept``."""
        self.extra = Extra(() if self.extra is None else self.extra.fix, kept)

    @property
    def function(self) -> Any:
        """The function whose output this node is the node of."""
        return self

    def backward(self, *gys: Any) -> Any:
        """Gradients of the inputs from those of the outputs."""
        raise NotImplementedError(f"{type(self).__name__}.backward is not defined")

    def gradients(self, gy: Any, create_graph: bool) -> tuple[Any, ...]:
        """As ``backward``, for nodes that are not ``direct``."""
        raise NotImplementedError

    def lifted(self, saved: tuple[Any, ...]) -> tuple[Any, ...]:
        """What was saved, as Variables on this graph (``create_graph``)."""
        return saved

    def fixed(self, gxs: Any) -> tuple[Any, ...]:
        """What ``backward`` returned, in the shapes and dtypes of the inputs (``Extra.fix``)."""
        raise NotImplementedError

    def cut(self) -> None:
        """End the graph at this node: gradients stop here."""
        self.edges = ()
        self.saved = None
        if self.extra is not None:
            self.extra = Extra((), self.extra.kept)


def record(node: Node, edges: tuple[Node | Leaf | None, ...], saved: tuple[Any, ...]) -> None:
    """Make ``node`` the next node of the graph."""
    node.seq = next_seq()
    node.edges = edges
    node.saved = saved
    node.extra = None if node.direct else Extra()


class Parts(dict[int, Any]):
    """The gradients of a function with several outputs, by number."""

    def __add__(self, other: Parts) -> Parts:
        """The union; where both have a gradient (an output may have two nodes) the sum."""
        common = {i: self[i] + other[i] for i in self if i in other}
        return Parts(self | other | common)

    def filled(self, ys: Sequence[Data]) -> list[Any]:
        """One gradient an output: zeros for each that was not used (semantics.md 11.1)."""
        return [
            self[i] if i in self else np.zeros(y.shape, grad_dtype(y)) for i, y in enumerate(ys)
        ]
