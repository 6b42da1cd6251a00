"""A second small engine, written without a look at that of the defects, to be diagnosed.

Cells that know their sources and a closure that pulls a gradient back; operations have
names of their own. Each class below the first is wrong in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from parity.engines.base import Engine


class Cell:
    """A number or an array, where it comes from, and how a gradient gets back there."""

    def __init__(
        self,
        array: Any,
        wants: bool,
        sources: tuple[Cell, ...] = (),
        pull: Callable[[Any], tuple[Any, ...]] | None = None,
    ) -> None:
        self.array = np.asarray(array)
        self.wants = wants
        self.sources = sources
        self.pull = pull
        self.slope: Any = None
        self.spent = False


def made(array: Any, pull: Callable[[Any], tuple[Any, ...]], *sources: Cell) -> Cell:
    """The result of an operation."""
    wants = any(source.wants for source in sources)
    return Cell(array, True, sources, pull) if wants else Cell(array, False)


def plus(a: Cell, b: Cell) -> Cell:
    return made(a.array + b.array, lambda g: (g, g), a, b)


def minus(a: Cell, b: Cell) -> Cell:
    return made(a.array - b.array, lambda g: (g, -g), a, b)


def times(a: Cell, b: Cell) -> Cell:
    return made(a.array * b.array, lambda g: (g * b.array, a.array * g), a, b)


def opposite(a: Cell) -> Cell:
    return made(-a.array, lambda g: (-g,), a)


def total(a: Cell, axis: Any, keepdims: bool) -> Cell:
    def pull(g: Any) -> tuple[Any, ...]:
        kept = np.sum(a.array, axis, keepdims=True)
        return (np.ones_like(a.array) * np.reshape(g, kept.shape),)

    return made(np.sum(a.array, axis, keepdims=keepdims), pull, a)


def product(a: Cell, b: Cell, swap: bool = False) -> Cell:
    """``a @ b``, or its gradients with the factors swapped."""

    def turned(x: Any) -> Any:
        return np.swapaxes(x, -1, -2)

    def pull(g: Any) -> tuple[Any, ...]:
        left = a.array if a.array.ndim > 1 else a.array[None, :]
        right = b.array if b.array.ndim > 1 else b.array[:, None]
        wide = np.reshape(g, (left @ right).shape)
        if swap:
            return turned(right) @ wide, wide @ turned(left)
        return _like(wide @ turned(right), a), _like(turned(left) @ wide, b)

    return made(a.array @ b.array, pull, a, b)


def _like(g: Any, cell: Cell) -> Any:
    """A gradient of a vector that was made a matrix."""
    return g if cell.array.ndim > 1 else g.reshape(*g.shape[:-2], cell.array.size)


def pick(a: Cell, index: Any, once: bool = False) -> Cell:
    """Elements of an array; ``once``: an element named twice gets one gradient only."""

    def pull(g: Any) -> tuple[Any, ...]:
        result = np.zeros(a.array.shape, a.array.dtype)
        if once:
            result[index] = g
        else:
            np.add.at(result, index, g)
        return (result,)

    return made(a.array[index], pull, a)


def arranged(a: Cell, shape: Any) -> Cell:
    return made(a.array.reshape(shape), lambda g: (g.reshape(a.array.shape),), a)


class Tape(Engine):
    """Right: gradients go back in the reverse of a depth-first order."""

    name = "tape"
    dtypes = ("float64",)
    ops: ClassVar[dict[str, Any]] = {
        "add": plus,
        "sub": minus,
        "mul": times,
        "neg": opposite,
        "sum": total,
        "matmul": product,
        "get_item": pick,
        "reshape": arranged,
    }

    def leaf(self, array: Any, requires_grad: bool = True) -> Cell:
        return Cell(np.array(array), requires_grad)

    def value(self, t: Cell) -> Any:
        return t.array

    def grad(self, t: Cell) -> Any:
        return t.slope

    def clear_grad(self, t: Cell) -> None:
        t.slope = None

    def zero_grad(self, t: Cell) -> None:
        t.slope[...] = 0

    def backward(self, t: Cell, gradient: Any = None, **flags: bool) -> None:
        if not t.wants:
            raise ValueError("nothing to differentiate")
        if gradient is not None and np.shape(gradient) != t.array.shape:
            raise ValueError("wrong shape")
        arrived: dict[Cell, Any] = {t: self.start(t, gradient)}
        for cell in self.walk(t):
            if cell.pull is None:
                self.deposit(cell, arrived[cell])
                continue
            if cell.spent:
                raise ValueError("used up")
            cell.spent = not flags.get("retain_graph", False)
            for source, g in zip(cell.sources, cell.pull(arrived[cell]), strict=True):
                if source.wants:
                    self.gather(arrived, source, self.fit(np.asarray(g), source.array.shape))

    def start(self, t: Cell, gradient: Any) -> Any:
        return np.ones(t.array.shape) if gradient is None else np.array(gradient)

    def walk(self, root: Cell) -> Iterator[Cell]:
        """Each cell after all that use it."""
        order: list[Cell] = []
        seen, path = {root}, [(root, iter(root.sources))]
        while path:
            cell, rest = path[-1]
            source = next((s for s in rest if s.wants and s not in seen), None)
            if source is None:
                order.append(cell)
                path.pop()
            else:
                seen.add(source)
                path.append((source, iter(source.sources)))
        return reversed(order)

    def gather(self, arrived: dict[Cell, Any], cell: Cell, g: Any) -> None:
        arrived[cell] = g if cell not in arrived else arrived[cell] + g

    def fit(self, g: Any, shape: tuple[int, ...]) -> Any:
        """Undo broadcasting."""
        while g.ndim > len(shape):
            g = g.sum(0)
        for axis, n in enumerate(shape):
            if n == 1 and g.shape[axis] != 1:
                g = g.sum(axis, keepdims=True)
        return g

    def deposit(self, cell: Cell, g: Any) -> None:
        if cell.slope is None:
            cell.slope = np.array(g)
        else:
            cell.slope += g


class Overwriting(Tape):
    def gather(self, arrived: dict[Cell, Any], cell: Cell, g: Any) -> None:
        arrived[cell] = g


class Stacked(Tape):
    """Cells run whenever they are reached, with what has arrived so far."""

    def walk(self, root: Cell) -> Iterator[Cell]:
        waiting, leaves = [root], {}
        while waiting:
            cell = waiting.pop()
            if cell.pull is None:
                leaves[cell] = True
                continue
            cell.spent = False
            yield cell
            waiting += [source for source in cell.sources if source.wants]
        yield from leaves


class Forgetful(Tape):
    def deposit(self, cell: Cell, g: Any) -> None:
        cell.slope = np.array(g)


class Uncleared(Tape):
    def clear_grad(self, t: Cell) -> None:
        pass


class Renewing(Tape):
    def zero_grad(self, t: Cell) -> None:
        t.slope = np.zeros_like(t.slope)


class Dropping(Tape):
    def zero_grad(self, t: Cell) -> None:
        t.slope = None


class Broad(Tape):
    def fit(self, g: Any, shape: tuple[int, ...]) -> Any:
        return g


class Averaging(Tape):
    def fit(self, g: Any, shape: tuple[int, ...]) -> Any:
        part = super().fit(g, shape)
        return part / (g.size / part.size) if g.size else part


class Swapping(Tape):
    ops: ClassVar[dict[str, Any]] = {**Tape.ops, "matmul": lambda a, b: product(a, b, swap=True)}


class PickingOnce(Tape):
    ops: ClassVar[dict[str, Any]] = {
        **Tape.ops,
        "get_item": lambda a, *, index: pick(a, index, once=True),
    }


class Keeping(Tape):
    """The user's array becomes the gradient."""

    given: Any = None

    def start(self, t: Cell, gradient: Any) -> Any:
        self.given = gradient
        return super().start(t, None) if gradient is None else gradient

    def deposit(self, cell: Cell, g: Any) -> None:
        if cell.slope is None and g is self.given is not None:
            cell.slope = g
        else:
            super().deposit(cell, g)


#: By the name of the defect that each behaves like.
FAULTS: dict[str, type[Tape]] = {
    "overwrite": Overwriting,
    "creation-order-ignored": Stacked,
    "second-backward-overwrites": Forgetful,
    "clear-does-nothing": Uncleared,
    "zero-replaces": Renewing,
    "zero-clears": Dropping,
    "broadcasting-not-undone": Broad,
    "broadcasting-undone-by-mean": Averaging,
    "matmul-swapped": Swapping,
    "repeated-index-overwritten": PickingOnce,
    "user-gradient-kept": Keeping,
}


def _negative_times(a: Cell, b: Cell) -> Cell:
    def pull(g: Any) -> tuple[Any, ...]:
        return g * np.where(b.array < 0, 1.5 * b.array, b.array), g * a.array

    return made(a.array * b.array, pull, a, b)


class Unheard(Tape):
    """A fault of nobody's: the gradient of a product is wrong for negative factors."""

    ops: ClassVar[dict[str, Any]] = {**Tape.ops, "mul": _negative_times}


class Scalars(Overwriting):
    """Overwrites, and has little else: numbers, constants of no kind, nothing is cleared."""

    max_ndim = 0
    ops: ClassVar[dict[str, Any]] = {"add": plus, "mul": times, "neg": opposite}
    clear_grad = Engine.clear_grad
    zero_grad = Engine.zero_grad

    def leaf(self, array: Any) -> Cell:  # type: ignore[override]
        return super().leaf(array)

    def grad(self, t: Cell) -> Any:
        """A copy, and zero where nothing arrived, as in micrograd."""
        return np.zeros(()) if t.slope is None else t.slope.copy()
