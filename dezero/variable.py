"""Variable: an array that remembers how it was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dezero.arraylike import ArrayLike
from dezero.graph import GRAD_DTYPES, Array, Data, Leaf, Node, grad_dtype
from dezero.modes import Config
from dezero.modified import modified

if TYPE_CHECKING:
    from dezero.function import Function

Operand: TypeAlias = "Variable | Array | np.generic | float"

_new = object.__new__


def as_array(x: Any) -> Any:
    """``x`` as an ndarray if it is a scalar (0-d results of NumPy are scalars); else ``x``."""
    return np.asarray(x) if np.isscalar(x) else x


def as_variable(x: Any) -> Variable:
    """``x`` itself if it is a Variable, else a constant (``requires_grad=False``) on it.

    Raises TypeError if ``x`` is neither a Variable, an ndarray nor a scalar.
    """
    return x if isinstance(x, Variable) else Variable(as_array(x), requires_grad=False)


def checked(data: Any) -> Array:
    """``data`` if a Variable can hold it, else TypeError."""
    if type(data) is not np.ndarray:
        hint = "; use np.array(...)" if np.isscalar(data) or isinstance(data, (list, tuple)) else ""
        raise TypeError(f"{type(data)} is not supported: a Variable holds a numpy.ndarray{hint}")
    if data.dtype not in GRAD_DTYPES:
        raise TypeError(
            f"dtype {data.dtype} is not supported: use float32 or float64 "
            "(integers and booleans are accepted and get float64 gradients)"
        )
    return data


class Variable(ArrayLike):
    """An array that remembers how it was computed.

    ``data``: ndarray of any shape, float32 or float64. Integer and boolean
    arrays are accepted and get float64 gradients (PyTorch refuses them, a
    documented divergence). The array is not copied.
    ``requires_grad``: None and True record, False makes a constant.

    Raises TypeError for anything that is not an ndarray and for other dtypes.
    """

    __slots__ = ("_data", "_node", "_grad", "name", "__weakref__")
    __array_priority__ = 200  # the book's; NumPy asks `__array_ufunc__` (dezero/operators.py)

    _data: Data
    _node: Node | Leaf | None
    _grad: Variable | None

    def __init__(
        self, data: Array, name: str | None = None, requires_grad: bool | None = None
    ) -> None:
        self._data = checked(data)
        self._node = None if requires_grad is False else Leaf(self)
        self._grad = None
        self.name = name

    @property
    def data(self) -> Array:
        """The array itself, not a copy. Setting it replaces the array."""
        if self._data.__class__ is not np.ndarray:
            self._data = np.asarray(self._data)
        return self._data

    @data.setter
    def data(self, data: Array | Variable) -> None:
        # `x.data -= lr * x.grad` of the book comes here with a Variable.
        self._data = checked(data.data if isinstance(data, Variable) else data)

    @property
    def grad(self) -> Variable | None:
        """The accumulated gradient, or None.

        Leaves accumulate; other Variables have one only where it was asked for
        (``retain_grad``). Assigning None clears it. A Variable is stored as it
        is and later added to in place (semantics.md 2.6), an ndarray is copied.
        Raises TypeError, or RuntimeError for another shape or dtype.
        """
        node = self._node
        if isinstance(node, Node):
            return node.kept if isinstance(node.kept, Variable) else None
        return self._grad

    @grad.setter
    def grad(self, grad: Variable | Array | None) -> None:
        if grad is not None:
            grad = self._checked_grad(grad)
        node = self._node
        if isinstance(node, Node):
            if node.kept is not None or grad is not None:
                node.keep(True if grad is None else grad)
        else:
            self._grad = grad

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    def _checked_grad(self, grad: Variable | Array) -> Variable:
        if type(grad) is np.ndarray:
            grad = Variable(grad.copy(), requires_grad=False)
        if not isinstance(grad, Variable):
            raise TypeError(f"assigned grad expected to be a Variable or None, got {type(grad)}")
        if grad.shape != self.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size {grad.shape} to a Variable of size "
                f"{self.shape}. Please ensure that the gradient and the Variable are the same size"
            )
        if grad.dtype != grad_dtype(self._data):
            raise RuntimeError(
                f"attempting to assign a gradient with dtype {grad.dtype} to a Variable with "
                f"gradient dtype {grad_dtype(self._data)}. Please ensure that they match"
            )
        return grad

    @property
    def requires_grad(self) -> bool:
        """Whether backward reaches this Variable. Can be set on leaves only (semantics.md 6.4)."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if isinstance(self._node, Node):
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()"
            )
        if value != (self._node is not None):
            self._node = Leaf(self) if value else None

    @property
    def is_leaf(self) -> bool:
        """Whether no function made this Variable (constants are leaves too)."""
        return not isinstance(self._node, Node)

    @property
    def creator(self) -> Function | None:
        """The function that made this Variable, or None for leaves and constants."""
        node = self._node
        return node.function if isinstance(node, Node) and node.edges else None

    def backward(
        self,
        gradient: Variable | Array | float | None = None,
        retain_grad: bool = False,
        create_graph: bool = False,
        retain_graph: bool | None = None,
    ) -> None:
        """Add the gradient of this Variable to ``grad`` of every leaf it depends on.

        ``gradient``: the gradient of this Variable, of its shape, cast to its
        dtype; ones if None (for any shape, as in the book; PyTorch wants a
        scalar there, a documented divergence).
        ``retain_grad``: keep the gradients of intermediate Variables too.
        ``create_graph``: record the pass, so that ``x.grad`` can be
        differentiated again.
        ``retain_graph``: keep what the graph saved for another pass; default
        ``create_graph``.

        Raises RuntimeError if nothing here requires a gradient, if the shape of
        ``gradient`` differs, and if the graph was freed by an earlier pass; no
        leaf changes then (PyTorch updates some of them, semantics.md 1.4).
        Rules: semantics.md sections 1, 4 and 15.
        """
        from dezero.backward import backward  # the pass needs this module

        backward(self, gradient, retain_grad, create_graph, retain_graph)

    def retain_grad(self) -> None:
        """Keep the gradient of this intermediate Variable in every pass (semantics.md 5.2).

        Does nothing on a leaf. Raises RuntimeError without ``requires_grad``.
        A gradient kept under ``create_graph`` refers back to this graph; clear
        it before dropping the graph, or the two keep each other alive.
        """
        if self._node is None:
            raise RuntimeError("can't retain_grad on Variable that has requires_grad=False")
        if isinstance(self._node, Node) and self._node.kept is None:
            self._node.keep(True)

    def cleargrad(self) -> None:
        """Forget the gradient: ``grad`` becomes None."""
        self.grad = None

    def zero_(self) -> Variable:
        """Fill the array with zeros in place and return this Variable.

        The object and its buffer stay the same: ``x.grad.zero_()`` is seen by
        everyone who holds ``x.grad``. A Variable that a function made becomes a
        constant. Raises RuntimeError on a leaf that requires a gradient, unless
        under ``no_grad`` (semantics.md 10.3).
        """
        if isinstance(self._node, Leaf):
            if Config.enable_backprop:
                raise RuntimeError(
                    "a leaf Variable that requires grad is being used in an in-place operation."
                )
        else:
            self._node = None
        self.data.fill(0)
        modified.note(self.data)
        return self

    def detach(self) -> Variable:
        """A constant on the same array: gradients do not pass (semantics.md 6.4)."""
        return Variable(self.data, requires_grad=False)

    def unchain(self) -> None:
        """Forget how this Variable was computed: its graph ends here (the book's step 59)."""
        if isinstance(self._node, Node):
            self._node.cut()

    def unchain_backward(self) -> None:
        """Cut the graph behind this Variable: later passes stop here (truncated BPTT)."""
        todo = [self._node]
        while todo:
            node = todo.pop()
            if isinstance(node, Node):
                todo.extend(node.edges)
                node.cut()

    def _repr_html_(self) -> str | None:
        """In a notebook: the graph behind this Variable, where Graphviz is installed."""
        from dezero.utils import svg  # only notebooks need it

        return svg(self) if isinstance(self._node, Node) else None


def variable_on(data: Data, node: Node | Leaf | None) -> Variable:
    """A Variable on ``data`` without the checks of ``__init__``, for results."""
    v: Variable = _new(Variable)
    v._data = data
    v._node = node
    v._grad = None
    v.name = None
    return v
