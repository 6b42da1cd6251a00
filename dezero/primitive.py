"""What the built-in functions have in common: how they are recorded and undone.

A primitive computes on raw data and saves only what its backward needs. Its
``backward(gy, saved)`` is written once and runs in two ways: on arrays in a
plain pass, on Variables under ``create_graph``. Operators and methods work on
both; where a formula calls another primitive it says ``Cos.on(x)``.
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np

from dezero.function import Function, output_variables
from dezero.given import scalar_dtype
from dezero.graph import GRAD_DTYPES, Data, Extra, Fix, Parts, grad_dtype, next_seq, record
from dezero.modes import Config, restricted
from dezero.variable import Variable, as_variable, checked, variable_on

#: The place of a function's output in ``Primitive.saves``.
OUTPUT = -1
Shape = tuple[int, ...]
_add_reduce: Any = np.add.reduce


def native(function: Any) -> Any:
    """A function of NumPy or ``operator`` as ``forward``, with no Python call around it."""
    return staticmethod(function)


def as_float(x: Data) -> Data:
    """Integers in float64."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def floating(function: Any) -> Any:
    """``native`` for functions whose results are floats: integers are computed in float64.

    NumPy would choose float16 for small integers.
    """

    def forward(x: Data) -> Data:
        return function(as_float(x))

    return staticmethod(forward)


def constant(x: Any) -> Data:
    """An operand that is no Variable: Python scalars stay, so that float32 stays float32."""
    if isinstance(x, (int, float, np.generic)):
        return x
    return checked(x)


class Primitive(Function):
    """A built-in function with one output and any number of inputs."""

    __slots__ = ()
    direct = True
    fresh = True
    #: What backward gets: numbers of inputs, and OUTPUT for the output.
    saves: ClassVar[tuple[int, ...]] = ()
    #: Whether the inputs are broadcast against each other.
    broadcasts: ClassVar[bool] = False

    @classmethod
    def on(cls, *xs: Any, **attributes: Any) -> Any:
        """Apply to arrays, giving an array, or, if any is a Variable, recording."""
        function = cls(**attributes)
        if any(isinstance(x, Variable) for x in xs):
            return function(*xs)
        return function.forward(*xs)

    def __call__(self, *inputs: Any) -> Variable:
        xs, edges = [], []
        for x in inputs:
            if isinstance(x, Variable):
                xs.append(x._data)
                edges.append(x._node)
            else:
                xs.append(constant(x))
                edges.append(None)
        _widen_scalars(xs)
        y = self.forward(*xs)
        if not Config.enable_backprop or all(edge is None for edge in edges):
            return variable_on(y, None)
        record(self, tuple(edges), tuple(y if i == OUTPUT else xs[i] for i in self.saves))
        shapes = [x.shape if self.broadcasts else () for x in (*xs, y)]
        parts = zip(shapes, xs, edges, strict=False)
        asked = [None if edge is None else (shape, x.dtype) for shape, x, edge in parts]
        self.extra = undoing(shapes[-1], y.dtype, *asked)
        return variable_on(y, self)

    def lifted(self, saved: tuple[Any, ...]) -> tuple[Any, ...]:
        variables: list[Any] = []
        for i, data in zip(self.saves, saved, strict=True):
            node = self if i == OUTPUT else self.edges[i]
            variables.append(data if node is None or data is None else variable_on(data, node))
        return tuple(variables)

    def fixed(self, gxs: Any) -> tuple[Any, ...]:
        """The gradients in the shapes and dtypes of the inputs: summed first, then cast (8.3)."""
        mended = list(gxs)
        for number, shape, dtype, axes, keepdims in self.extra.fix:  # type: ignore[union-attr]
            gx = mended[number]
            if gx is None:
                continue
            if axes:
                if gx.__class__ is np.ndarray:
                    gx = _add_reduce(gx, axes, None, None, keepdims)
                    if gx.shape != shape:
                        gx = gx.reshape(shape)
                else:
                    gx = SumTo(shape)(gx)
            mended[number] = gx if gx.dtype is dtype else gx.astype(dtype)
        return tuple(mended)


def _widen_scalars(xs: list[Any]) -> None:
    """Python scalars as arrays in the dtype of the other operands, so that float32 stays."""
    dtype = scalar_dtype(xs)
    for i, x in enumerate(xs):
        if not isinstance(x, (np.ndarray, np.generic)):
            xs[i] = np.asarray(x, dtype)


@functools.lru_cache(maxsize=1024)
def undoing(
    shape: Shape, dtype: np.dtype[Any], *inputs: tuple[Shape, np.dtype[Any]] | None
) -> Extra | None:
    """What undoes the broadcast and the promotion of inputs to a result, if anything is to do.

    ``inputs``: shape and dtype of each that gets a gradient, else None. Cached, and so shared by
    nodes: programs ask once a node, about few pairs of shapes.
    """
    fix = []
    for number, x in enumerate(inputs):
        if x is not None:
            to, of = x[0], GRAD_DTYPES[x[1]]
            if (to, of) != (shape, dtype):
                fix.append(Fix(number, to, of, *_summed_axes(shape, to)))
    return Extra(tuple(fix)) if fix else None


class Unary(Primitive):
    """One input, one output."""

    __slots__ = ()

    def __call__(self, x: Any) -> Variable:  # type: ignore[override]
        if not isinstance(x, Variable):
            return variable_on(self.forward(np.asarray(constant(x))), None)
        data, edge = x._data, x._node
        y = self.forward(data)
        if edge is None or (restricted.threads and not Config.enable_backprop):
            return variable_on(y, None)
        saves = self.saves
        # What `record` does, written out: this is a hot path.
        self.saved = saves and tuple([y if i == OUTPUT else data for i in saves])
        self.seq = next_seq()
        self.edges = (edge,)
        self.extra = None
        return variable_on(y, self)


class Copy(Unary):
    """The same values in an array and a node of their own."""

    __slots__ = ()
    fresh = False

    def forward(self, x: Data) -> Data:
        return np.array(x)

    def backward(self, gy: Any, saved: Any) -> Any:
        return gy


def sum_to_shape(x: Data, shape: Shape) -> Data:
    """Sum an array over the axes along which ``shape`` was broadcast to its shape."""
    axes, keepdims = _summed_axes(x.shape, shape)
    y = _add_reduce(x, axes, None, None, keepdims)
    return y if y.shape == shape else y.reshape(shape)


@functools.lru_cache(maxsize=1024)
def _summed_axes(shape: Shape, to: Shape) -> tuple[Shape, bool]:
    """The axes that were repeated from ``to`` to ``shape``, and whether to keep them.

    ValueError if ``to`` does not broadcast to ``shape``.
    """
    if np.broadcast_shapes(shape, to) != shape:
        raise ValueError(f"sum_to: shape {to} does not broadcast to {shape}")
    lead = len(shape) - len(to)
    inner = [i for i, n in enumerate(to, lead) if n == 1 and shape[i] != 1]
    return (*range(lead), *inner), bool(inner)


def expand(x: Data, shape: Shape) -> Data:
    """A new array of ``shape`` filled with ``x`` broadcast (np.broadcast_to is slower)."""
    y = np.empty(shape, x.dtype)
    y[...] = x
    return y


class BroadcastTo(Unary):
    """An array repeated along new and size-1 axes; a read-only view, as in NumPy."""

    __slots__ = ("shape", "x_shape")
    fresh = False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        return np.broadcast_to(x, self.shape)

    def backward(self, gy: Any, saved: Any) -> Any:
        return gy if gy.shape == self.x_shape else SumTo.on(gy, shape=self.x_shape)


class SumTo(Unary):
    """The inverse: a sum over the axes along which ``shape`` broadcasts to the input's."""

    __slots__ = ("shape", "x_shape")
    fresh = False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        return x if x.shape == self.shape else sum_to_shape(x, self.shape)

    def backward(self, gy: Any, saved: Any) -> Any:
        return gy if gy.shape == self.x_shape else BroadcastTo.on(gy, shape=self.x_shape)


class Cast(Unary):
    """The same values in another dtype; the gradient is cast back."""

    __slots__ = ("dtype", "x_dtype")
    fresh = False

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)

    def forward(self, x: Data) -> Data:
        self.x_dtype = grad_dtype(x)
        return x.astype(self.dtype)

    def backward(self, gy: Any, saved: Any) -> Any:
        return gy.astype(self.x_dtype)


class Splitting(Primitive):
    """One input, several outputs; saves nothing."""

    __slots__ = ("parts",)
    direct = False
    #: The outputs' shapes and dtypes, as arrays of zeros that take no memory.
    parts: list[Any]

    def __call__(self, x: Any) -> tuple[Variable, ...]:  # type: ignore[override]
        data = x._data if isinstance(x, Variable) else np.asarray(constant(x))
        ys = self.forward(data)
        edge = x._node if isinstance(x, Variable) else None
        if edge is None or not Config.enable_backprop:
            return tuple(variable_on(y, None) for y in ys)
        record(self, (edge,), ())
        self.parts = [np.broadcast_to(np.zeros((), grad_dtype(y)), y.shape) for y in ys]
        return tuple(output_variables(self, ys))

    def gradients(self, gy: Parts, create_graph: bool) -> tuple[Any, ...]:
        gys = gy.filled(self.parts)
        return (self.backward(*map(as_variable, gys) if create_graph else gys),)
