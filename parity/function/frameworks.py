"""How values and gradients of a function are computed in PyTorch, JAX and Paddle."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias

import numpy as np

from parity._util.errors import UsageError
from parity.function.cases import Array

#: A function of tensors, with one tensor or several as the result.
Function: TypeAlias = Callable[..., Any]


class Framework(ABC):
    """A library of tensors with gradients; arrays go in, and arrays of float64 come out.

    A seed of None stands for an output that has no upstream gradient; a gradient of None for an
    input that has no gradient.
    """

    name: str
    #: Whether each operation can have rounding errors (``parity.oracle.rounded_operations``).
    rounds = False

    @abstractmethod
    def values(self, f: Function, arrays: Sequence[Array]) -> list[Array]:
        """Return the outputs that hold real numbers."""

    @abstractmethod
    def gradients(
        self, f: Function, arrays: Sequence[Array], seeds: Sequence[Array | None]
    ) -> list[Array | None]:
        """Return the gradient of each input."""

    @abstractmethod
    def second(
        self,
        f: Function,
        arrays: Sequence[Array],
        seeds: Sequence[Array],
        weights: Sequence[Array | None],
    ) -> list[Array | None]:
        """Return the derivatives of ``<weights, gradients>`` by each input and each seed."""

    def array(self, tensor: Any) -> Array:
        """Return a tensor that the caller gave as an array."""
        return _wide(np.asarray(tensor))

    def quiet(self) -> AbstractContextManager[Any]:
        """Return the context in which all runs."""
        return nullcontext()


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _tensors(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


class _Tape(Framework):
    """PyTorch, or a library with the same functions."""

    @abstractmethod
    def leaf(self, array: Array) -> Any:
        """Return a tensor; one of floating point requires a gradient."""

    @abstractmethod
    def numpy(self, tensor: Any) -> Array:
        """Return a tensor as an array of float64."""

    @abstractmethod
    def outputs(self, f: Function, leaves: Sequence[Any]) -> list[Any]:
        """Return the outputs that hold real numbers, as tensors."""

    @abstractmethod
    def grad(self, ys: list[Any], xs: list[Any], vs: list[Any], graph: bool) -> list[Any]:
        """Return gradients of ``xs``, None where there is none."""

    @abstractmethod
    def has_graph(self, tensor: Any) -> bool:
        """Return whether a tensor has a gradient."""

    def values(self, f: Function, arrays: Sequence[Array]) -> list[Array]:
        return [self.numpy(y) for y in self.outputs(f, [self.leaf(a) for a in arrays])]

    def gradients(
        self, f: Function, arrays: Sequence[Array], seeds: Sequence[Array | None]
    ) -> list[Array | None]:
        leaves = [self.leaf(a) for a in arrays]
        vs = [None if s is None else self.leaf(s) for s in seeds]
        found = self._backward(self.outputs(f, leaves), leaves, vs, False)
        return [None if g is None else self.numpy(g) for g in found]

    def second(
        self,
        f: Function,
        arrays: Sequence[Array],
        seeds: Sequence[Array],
        weights: Sequence[Array | None],
    ) -> list[Array | None]:
        leaves, vs = [self.leaf(a) for a in arrays], [self.leaf(s) for s in seeds]
        firsts = self._backward(self.outputs(f, leaves), leaves, vs, True)
        firsts = [None if w is None else g for g, w in zip(firsts, weights, strict=True)]
        ws = [None if w is None else self.leaf(w) for w in weights]
        found = self.accumulated(firsts, [*leaves, *vs], ws)
        return [None if g is None else self.numpy(g) for g in found]

    def accumulated(self, ys: list[Any], xs: list[Any], vs: list[Any]) -> list[Any]:
        """Return the gradients of leaves by a backward through the whole graph."""
        return self._backward(ys, xs, vs, False)

    def _backward(self, ys: list[Any], xs: list[Any], vs: list[Any], graph: bool) -> list[Any]:
        pairs = [
            (y, v)
            for y, v in zip(ys, vs, strict=True)
            if y is not None and v is not None and self.has_graph(y)
        ]
        wanted = [i for i, x in enumerate(xs) if self.has_graph(x)]
        if not pairs or not wanted:
            return [None] * len(xs)
        roots, starts = zip(*pairs, strict=True)
        if not graph:
            starts = tuple(v.detach() for v in starts)
        found = self.grad(list(roots), [xs[i] for i in wanted], list(starts), graph)
        return [found[wanted.index(i)] if i in wanted else None for i in range(len(xs))]


class TorchFramework(_Tape):
    """PyTorch, with tensors on the given device and of the given type."""

    name = "torch"

    def __init__(self, device: str = "cpu", dtype: str = "float64") -> None:
        self.torch = importlib.import_module("torch")
        self.device, self.dtype = device, getattr(self.torch, dtype)
        self.rounds = device == "cpu"  # random numbers are there

    def leaf(self, array: Array) -> Any:
        tensor = self.torch.tensor(array, device=self.device)
        if not tensor.is_floating_point():
            return tensor
        return tensor.to(self.dtype).requires_grad_()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Run on one thread: the tensors are small."""
        threads = self.torch.get_num_threads()
        self.torch.set_num_threads(1)
        try:
            yield
        finally:
            self.torch.set_num_threads(threads)

    def plain(self, arrays: Sequence[Array]) -> list[Any]:
        """Return tensors that require no gradient."""
        return [self.leaf(a).detach() for a in arrays]

    def numpy(self, tensor: Any) -> Array:
        array: Array = tensor.detach().to(self.torch.float64).cpu().numpy(force=True)
        return array

    def array(self, tensor: Any) -> Array:
        if not isinstance(tensor, self.torch.Tensor):
            return super().array(tensor)
        wide = tensor.is_floating_point()
        return self.numpy(tensor) if wide else np.asarray(tensor.detach().cpu().numpy())

    def outputs(self, f: Function, leaves: Sequence[Any]) -> list[Any]:
        tensors = [y for y in _tensors(f(*leaves)) if isinstance(y, self.torch.Tensor)]
        return [y for y in tensors if y.is_floating_point()]

    def has_graph(self, tensor: Any) -> bool:
        return bool(tensor.requires_grad)

    def grad(self, ys: list[Any], xs: list[Any], vs: list[Any], graph: bool) -> list[Any]:
        vs = [v.to(y.dtype) for y, v in zip(ys, vs, strict=True)]
        found = self.torch.autograd.grad(ys, xs, vs, create_graph=graph, allow_unused=True)
        return list(found)

    def accumulated(self, ys: list[Any], xs: list[Any], vs: list[Any]) -> list[Any]:
        # Not autograd.grad: it passes by the node of once_differentiable, which raises.
        pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y is not None and y.requires_grad]
        if pairs:
            self.torch.autograd.backward([y for y, _ in pairs], [v.detach() for _, v in pairs])
        return [x.grad for x in xs]


class PaddleFramework(_Tape):
    """Paddle, whose tensors that stop gradients are those that require none."""

    name = "paddle"

    def __init__(self, device: str = "cpu", dtype: str = "float64") -> None:
        self.paddle, self.dtype = importlib.import_module("paddle"), dtype

    def leaf(self, array: Array) -> Any:
        wide = array.dtype.kind == "f"
        dtype = self.dtype if wide else None
        return self.paddle.to_tensor(array, dtype=dtype, stop_gradient=not wide)

    def numpy(self, tensor: Any) -> Array:
        return np.asarray(tensor.detach().numpy(), np.float64)

    def outputs(self, f: Function, leaves: Sequence[Any]) -> list[Any]:
        return [y for y in _tensors(f(*leaves)) if y.is_floating_point()]

    def has_graph(self, tensor: Any) -> bool:
        return not tensor.stop_gradient

    def grad(self, ys: list[Any], xs: list[Any], vs: list[Any], graph: bool) -> list[Any]:
        return list(self.paddle.grad(ys, xs, vs, create_graph=graph, allow_unused=True))


class JaxFramework(Framework):
    """JAX, whose gradients are functions."""

    name = "jax"

    def __init__(self, device: str = "cpu", dtype: str = "float64") -> None:
        self.jax, self.dtype = importlib.import_module("jax"), dtype

    def quiet(self) -> AbstractContextManager[Any]:
        """Return the context in which float64 is not float32."""
        context: AbstractContextManager[Any] = self.jax.enable_x64(True)
        return context

    def _leaves(self, arrays: Sequence[Array]) -> list[Any]:
        wide = (a.astype(self.dtype) if a.dtype.kind == "f" else a for a in arrays)
        return [self.jax.numpy.asarray(a) for a in wide]

    def _outputs(self, f: Function) -> Function:
        real = self.jax.numpy.floating
        is_real = self.jax.numpy.issubdtype
        return lambda *xs: [y for y in _tensors(f(*xs)) if is_real(y.dtype, real)]

    def values(self, f: Function, arrays: Sequence[Array]) -> list[Array]:
        outputs = self._outputs(f)(*self._leaves(arrays))
        return [np.asarray(y, np.float64) for y in outputs]

    def gradients(
        self, f: Function, arrays: Sequence[Array], seeds: Sequence[Array | None]
    ) -> list[Array | None]:
        ys, pull = self.jax.vjp(self._outputs(f), *self._leaves(arrays))
        vs = self._starts(ys, seeds)
        return self._found(arrays, pull(vs))

    def second(
        self,
        f: Function,
        arrays: Sequence[Array],
        seeds: Sequence[Array],
        weights: Sequence[Array | None],
    ) -> list[Array | None]:
        moved = [i for i, w in enumerate(weights) if w is not None]

        def firsts(xs: list[Any], vs: list[Any]) -> list[Any]:
            _, pull = self.jax.vjp(self._outputs(f), *xs)
            found = pull(vs)
            return [found[i] for i in moved]

        xs, vs = self._leaves(arrays), self._leaves(seeds)
        gs, pull = self.jax.vjp(firsts, xs, vs)
        by_xs, by_vs = pull(self._starts(gs, [weights[i] for i in moved]))
        return self._found([*arrays, *seeds], [*by_xs, *by_vs])

    def _starts(self, ys: Sequence[Any], seeds: Sequence[Array | None]) -> list[Any]:
        zeros = self.jax.numpy.zeros_like
        pairs = zip(ys, seeds, strict=True)
        return [zeros(y) if s is None else zeros(y) + s.astype(y.dtype) for y, s in pairs]

    def _found(self, arrays: Sequence[Array], found: Sequence[Any]) -> list[Array | None]:
        pairs = zip(arrays, found, strict=True)
        return [np.asarray(g, np.float64) if a.dtype.kind == "f" else None for a, g in pairs]


#: The frameworks by the first part of the names of their modules.
FRAMEWORKS: dict[str, Callable[[str, str], Framework]] = {
    "torch": TorchFramework,
    "jax": JaxFramework,
    "jaxlib": JaxFramework,
    "paddle": PaddleFramework,
}


def framework_of(f: Function, examples: Sequence[Any]) -> str:
    """Return the name of the framework of a function: that of its type or its tensors.

    Examples
    --------
    >>> framework_of(print, [(2, 3)])
    'torch'
    """
    for thing in (*examples, f, getattr(f, "__self__", None)):
        for root in _roots(thing):
            if root in FRAMEWORKS:
                return root
    return "torch"


def _roots(thing: Any) -> Iterator[str]:
    classes = (*getattr(thing, "__mro__", ()), *type(thing).__mro__)
    return (str(cls.__module__).partition(".")[0] for cls in classes)


def open_framework(name: str, device: str, dtype: str = "float64") -> Framework:
    """Return a framework by its name; UsageError if there is none or it is not installed."""
    if name not in FRAMEWORKS:
        raise UsageError(f"there is no framework {name!r}; there are {', '.join(FRAMEWORKS)}")
    try:
        return FRAMEWORKS[name](device, dtype)
    except ImportError as error:
        raise UsageError(f"{name} cannot be imported: {error}") from None
