"""Engines that are wrong from some size on: of arrays, of axes, of graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from parity.diagnose.defects.engine import RULES, TapeEngine
from parity.diagnose.defects.tensor import Node, Tensor, raw
from parity.diagnose.defects.vjps import Rule, do
from parity.engines.adapters.dezero import Dezero
from parity.engines.base import Engine


class _Engine(TapeEngine):
    """The rules of one operation are replaced."""

    op: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        if self.op:
            rule = Rule(self.forward, self.back)
            self.ops[self.op] = self.operation(*rule)

    def forward(self, *xs: Any, **attrs: Any) -> Any:
        return RULES[self.op].value(*xs, **attrs)

    def back(self, g: Any, y: Any, *xs: Any, **attrs: Any) -> Any:
        return RULES[self.op].vjp(g, y, *xs, **attrs)


class DoubledAbove16(_Engine):
    """The gradient of ``mul`` is doubled above 16 elements."""

    name, op = "doubled-above-16", "mul"

    def back(self, g: Any, y: Any, *xs: Any, **attrs: Any) -> Any:
        slopes = super().back(g, y, *xs, **attrs)
        return tuple(2 * s for s in slopes) if raw(y).size > 16 else slopes


class LosesLastBlock(_Engine):
    """A sum loses the last block of eight above 64 elements."""

    name, op = "loses-last-block", "sum"

    def forward(self, a: Any, axis: Any, keepdims: bool) -> Any:
        if axis is None and a.size > 64:
            a = np.where(np.arange(a.size) < a.size - 8, a.ravel(), 0).reshape(a.shape)
        return a.sum(axis, keepdims=keepdims)


class NarrowSum(_Engine):
    """A sum of more than 256 elements is computed in float32."""

    name, op = "narrow-sum", "sum"

    def forward(self, a: Any, axis: Any, keepdims: bool) -> Any:
        wide = a.astype(np.float32) if a.size > 256 else a
        return np.asarray(wide.sum(axis, keepdims=keepdims)).astype(a.dtype)


class BlockedMatmul(_Engine):
    """The rest is lost where the inner length is above 8 and no multiple of 8."""

    name, op = "blocked-matmul", "matmul"

    def forward(self, a: Any, b: Any) -> Any:
        n = a.shape[-1]
        if n > 8:
            k = n - n % 8
            return a[..., :k] @ (b[..., :k, :] if b.ndim > 1 else b[:k])
        return a @ b


class MaxOfFirst256(_Engine):
    """``max`` of all elements looks at the first 256 only."""

    name, op = "max-of-first-256", "max"

    def forward(self, a: Any, axis: Any, keepdims: bool) -> Any:
        if axis is None and a.size > 256:
            return np.reshape(a.ravel()[:256].max(), (1,) * a.ndim if keepdims else ())
        return a.max(axis, keepdims=keepdims)


class LongKeptAxis(_Engine):
    """The gradient of a broadcast operand is wrong where an axis that is kept is above 64."""

    name = "long-kept-axis"

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        found = super().unbroadcast(g, shape)
        return 2 * found if g.shape != shape and shape and shape[-1] > 64 else found


def _narrow(number: int) -> int:
    return int(np.array(number).astype(np.int16))


def _narrowed(item: Any) -> Any:
    if isinstance(item, list):
        return [_narrow(i) for i in item]
    if isinstance(item, slice) and item.stop is not None:
        return slice(item.start, _narrow(item.stop), item.step)
    return item


class SmallIndices(_Engine):
    """Indices and offsets are 16 bits wide."""

    name, op = "small-indices", "get_item"

    def __init__(self) -> None:
        super().__init__()
        self.ops["concat"] = self.operation(*self._concat())
        self.ops["split"] = self.operation(self._split, RULES["split"].vjp)

    def forward(self, a: Any, index: Any) -> Any:
        items = index if isinstance(index, tuple) else (index,)
        return a[tuple(map(_narrowed, items))].copy()

    def back(self, g: Any, y: Any, a: Any, index: Any) -> Any:
        items = index if isinstance(index, tuple) else (index,)
        try:
            return super().back(g, y, a, index=tuple(map(_narrowed, items)))
        except (ValueError, IndexError):
            return super().back(g, y, a, index=index)

    @staticmethod
    def _split(a: Any, axis: int, sizes: Any) -> Any:
        return tuple(np.split(a, np.cumsum(sizes)[:-1].astype(np.int16), axis))

    @staticmethod
    def _concat() -> Rule:
        def vjp(g: Any, y: Any, *xs: Any, axis: int) -> tuple[Any, ...]:
            slopes, start = [], 0
            for x in xs:
                n = x.shape[axis]
                items = np.arange(start, start + n).astype(np.int16)
                index = (*(slice(None),) * (axis % x.ndim), items)
                slopes.append(g[index])
                start += n
            return tuple(slopes)

        return Rule(RULES["concat"].value, vjp)


class FlatAbove32767(_Engine):
    """Elements from 32,768 on are lost in the gradient of ``exp``."""

    name, op = "gradient-of-32767", "square"

    def back(self, g: Any, y: Any, a: Any) -> Any:
        (found,) = super().back(g, y, a)
        keep = (np.arange(raw(a).size) < 32768).reshape(raw(a).shape)
        return (found if keep.all() else do("select", found, keep=keep),)


class TransposeOfFive(_Engine):
    """The gradient of a transpose of five axes is moved with the wrong axes."""

    name, op = "transpose-of-five", "transpose"

    def back(self, g: Any, y: Any, a: Any, axes: Any) -> Any:
        if a.ndim < 5:
            return super().back(g, y, a, axes=axes)
        return (g.reshape(a.shape),)


class LosesUse33(_Engine):
    """From the 33rd use on a gradient is no longer accumulated."""

    name = "loses-use-33"

    def gradients(self) -> Any:
        self.uses: Counter[Tensor] = Counter()
        return super().gradients()

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        self.uses[t] += 1
        if self.uses[t] < 33:
            super().add(grads, t, g)

    def finish(self, grads: dict[Tensor, Any]) -> None:
        super().finish(grads)
        self.uses.clear()


class Seventeen(_Engine):
    """Of a value that is used 17 times 16 uses are counted."""

    name = "seventeen"

    def start(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        super().start(grads, t, g)
        nodes = self.order(t, grads)
        self.total_uses = Counter(p for node in nodes for p in node.parents)
        self.done: Counter[Tensor] = Counter()

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        self.done[t] += 1
        if not (self.total_uses[t] == 17 and self.done[t] == 17):
            super().add(grads, t, g)

    def finish(self, grads: dict[Tensor, Any]) -> None:
        super().finish(grads)
        self.total_uses.clear()
        self.done.clear()


class Recursive(_Engine):
    """The order of nodes is found by recursion with a small stack."""

    name = "recursive"

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Any:
        self._visit(root, 0, set())
        return super().order(root, grads)

    def _visit(self, t: Tensor, depth: int, seen: set[Node]) -> None:
        if depth > 50:
            raise RecursionError("maximum recursion depth exceeded")
        if t.node is not None and t.node not in seen:
            seen.add(t.node)
            for parent in t.node.parents:
                self._visit(parent, depth + 1, seen)


class _ByBlock(Dezero):
    """An operation is applied to each block of elements along its axis."""

    op: ClassVar[str]
    length: ClassVar[int]

    def __init__(self) -> None:
        whole = self.ops[self.op]

        def by_block(a: Any, *, axis: int) -> Any:
            n, place = a.shape[axis], axis % len(a.shape)
            sizes = [min(self.length, n - k) for k in range(0, n, self.length)]
            if len(sizes) < 2:
                return whole(a, axis=axis)
            parts = self.ops["split"](a, axis=place, sizes=sizes)
            return self.ops["concat"](*(whole(p, axis=axis) for p in parts), axis=place)

        self.ops = {**self.ops, self.op: by_block}  # type: ignore[misc]


class CumsumFrom129(_ByBlock):
    """``cumsum`` starts again at the 129th element."""

    name, op, length = "cumsum-from-129", "cumsum", 128


class SoftmaxByBlock(_ByBlock):
    """``softmax`` is normalised per block of 32."""

    name, op, length = "softmax-by-block", "softmax", 32


class VectorRest(_Engine):
    """The gradient of ``exp`` is missing in the rest after blocks of four, above 31 elements."""

    name, op = "vector-rest", "exp"

    def back(self, g: Any, y: Any, a: Any) -> Any:
        (found,) = super().back(g, y, a)
        n = raw(a).size
        keep = (np.arange(n) < n - n % 4).reshape(raw(a).shape)
        return (found if n < 32 or keep.all() else do("select", found, keep=keep),)


class MeanOf1024(_Engine):
    """The mean of more than 1,000 elements divides by 1,000."""

    name, op = "mean-of-1000", "mean"

    def forward(self, a: Any, axis: Any, keepdims: bool) -> Any:
        total = a.sum(axis, keepdims=keepdims)
        return total / min(a.size // max(total.size, 1), 1000)


ENGINES: dict[str, Callable[[], Engine]] = {
    cls.name: cls
    for cls in (
        *(DoubledAbove16, LosesLastBlock, CumsumFrom129, NarrowSum, BlockedMatmul, SoftmaxByBlock),
        *(MaxOfFirst256, LongKeptAxis, SmallIndices, FlatAbove32767, TransposeOfFive, LosesUse33),
        *(Seventeen, Recursive, VectorRest, MeanOf1024),
    )
}
