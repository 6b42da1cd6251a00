"""Base class of adapters for engines that differentiate functions, such as ``jax.vjp``.

The adapter records operations. A backward turns the record into a function from the leaves to the
root, for the engine; for second derivatives that function itself calls the engine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.engines.base import Engine


@dataclass(eq=False)
class Tensor:
    """A constant, or output ``index`` of ``source``; no index if that returned a single tensor."""

    value: Any
    number: int
    requires_grad: bool = False
    source: Call | BackwardPass | None = None
    index: int | None = None

    def replay(self, env: dict[Any, Any]) -> Any:
        """Compute the value from those of the inputs in ``env``."""
        if self.source is None:
            return self.value
        if self.source not in env:
            env[self.source] = self.source.outputs([env[x] for x in self.source.inputs])
        outputs = env[self.source]
        return outputs if self.index is None else outputs[self.index]


@dataclass(eq=False)
class Leaf(Tensor):
    """A leaf. ``buffer`` is its gradient, ``recorded`` its tensor after ``create_graph``."""

    buffer: Any = None
    recorded: Tensor | None = None


@dataclass(eq=False)
class Call:
    """A recorded operation."""

    function: Callable[..., Any]
    inputs: tuple[Tensor, ...]
    attrs: dict[str, Any]
    freed: bool = False

    def outputs(self, values: Sequence[Any]) -> Any:
        return self.function(*values, **self.attrs)


@dataclass(eq=False)
class BackwardPass:
    """A backward pass from ``root`` with the gradient ``seed`` to the leaves ``inputs``."""

    engine: Functional
    root: Tensor
    seed: Any
    inputs: tuple[Leaf, ...]

    def outputs(self, values: Sequence[Any]) -> Sequence[Any]:
        """Compute the gradients of the leaves for these values of the leaves."""

        def root(*values: Any) -> Any:
            env: dict[Any, Any] = dict(zip(self.inputs, values, strict=True))
            for t in ancestors(self.root):
                if t not in env:
                    env[t] = t.replay(env)
            return env[self.root]

        return self.engine.vjp(root, tuple(values), self.seed)


def ancestors(root: Tensor) -> list[Tensor]:
    """Return ``root`` and all tensors from which it is computed, oldest first."""
    found: set[Tensor] = set()
    todo = [root]
    while todo:
        t = todo.pop()
        if t not in found:
            found.add(t)
            todo += t.source.inputs if t.source else ()
    return sorted(found, key=lambda t: t.number)


class Functional(Engine):
    """Base class of adapters: a subclass sets ``name``, ``functions`` and two methods."""

    #: Operations on the engine's arrays, by the names of ``parity.language.table.OPS``.
    functions: ClassVar[dict[str, Callable[..., Any]]]

    def array(self, a: Any) -> Any:
        """Return a copy of an ndarray as an array of the engine."""
        raise NotImplementedError

    def vjp(self, function: Callable[..., Any], arguments: Any, seed: Any) -> Sequence[Any]:
        """Return one gradient per argument of ``function``; ``seed`` is that of the result."""
        raise NotImplementedError

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._recording = True
        self.ops: dict[str, Any] = {  # type: ignore[misc]
            name: self._operation(f) for name, f in self.functions.items()
        }

    def _operation(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*xs: Tensor, **attrs: Any) -> Any:
            value = function(*[x.value for x in xs], **attrs)
            recorded = self._recording and any(x.requires_grad for x in xs)
            call = Call(function, xs, attrs) if recorded else None
            if not isinstance(value, (tuple, list)):
                return Tensor(value, next(self._numbers), recorded, call)
            return tuple(
                Tensor(v, next(self._numbers), recorded, call, i) for i, v in enumerate(value)
            )

        return apply

    def leaf(self, array: Any, requires_grad: bool = True) -> Leaf:
        return Leaf(self.array(array), next(self._numbers), requires_grad)

    def value(self, t: Tensor) -> Any:
        return np.asarray(t.value)

    def grad(self, t: Leaf) -> Any:
        return t.buffer

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        """Run a backward; RuntimeError for what the engine itself cannot detect."""
        if not t.requires_grad:
            raise RuntimeError("the root does not require a gradient")
        value = np.asarray(t.value)
        if gradient is None and value.size != 1:
            raise RuntimeError("a gradient can be implied only for one element")
        seed = self.array(np.ones_like(value) if gradient is None else gradient.astype(value.dtype))
        nodes = ancestors(t)
        # Without retain_graph operations cannot run again, as in PyTorch.
        calls = [n.source for n in nodes if isinstance(n.source, Call)]
        if any(call.freed for call in calls):
            raise RuntimeError("backward through the graph a second time; use retain_graph")
        for call in calls:
            call.freed = not any(flags.values())
        leaves = tuple(n for n in nodes if isinstance(n, Leaf) and n.requires_grad)
        one = BackwardPass(self, t, seed, leaves)
        for index, g in enumerate(one.outputs([leaf.value for leaf in leaves])):
            self._accumulate(one, index, g, flags.get("create_graph", False))

    def _accumulate(self, one: BackwardPass, index: int, g: Any, create_graph: bool) -> None:
        """Add to the gradient of a leaf: in place, or as a new tensor in a recorded pass."""
        leaf = one.inputs[index]
        if create_graph:
            new = Tensor(g, next(self._numbers), True, one, index)
            if leaf.buffer is not None:
                with self._recording_set(True):
                    new = self.ops["add"](self.grad_tensor(leaf), new)
            leaf.buffer, leaf.recorded = np.array(new.value), new
            return
        leaf.recorded = None
        if leaf.buffer is None:
            leaf.buffer = np.array(g)
        else:
            leaf.buffer += np.asarray(g)

    def clear_grad(self, t: Leaf) -> None:
        t.buffer = t.recorded = None

    def zero_grad(self, t: Leaf) -> None:
        t.buffer.fill(0)
        t.recorded = None

    def grad_tensor(self, t: Leaf) -> Tensor:
        if t.buffer is None:
            raise RuntimeError("there is no gradient")
        if t.recorded is not None:
            return t.recorded
        return Tensor(self.array(t.buffer), next(self._numbers))

    def no_grad(self) -> AbstractContextManager[Any]:
        return self._recording_set(False)

    @contextmanager
    def _recording_set(self, on: bool) -> Iterator[None]:
        outer, self._recording = self._recording, on
        try:
            yield
        finally:
            self._recording = outer

    def detach(self, t: Tensor) -> Tensor:
        return Tensor(t.value, next(self._numbers))
