"""Optimizers, with PyTorch's update rules and both ways of use.

As in the book: ``optimizer = SGD(0.1).setup(model)``, ``optimizer.update()``. As
in PyTorch: ``step()`` and ``zero_grad(set_to_none=True)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from dezero.graph import Array
from dezero.layers import Layer
from dezero.variable import Variable


class Optimizer:
    """Updates parameters by their gradients; a parameter without a gradient stays as it is."""

    def __init__(self) -> None:
        self.params: list[Variable] = []
        self.hooks: list[Callable[[list[Variable]], Any]] = []
        self._target: Layer | None = None

    def setup(self, target: Layer | Iterable[Variable]) -> Optimizer:
        """Update the parameters of a layer, or these Variables; returns the optimizer."""
        if isinstance(target, Layer):
            self._target = target
        else:
            self.params = list(target)
        return self

    def add_hook(self, hook: Callable[[list[Variable]], Any]) -> None:
        """Call ``hook`` with the parameters before each update (weight decay, clipping)."""
        self.hooks.append(hook)

    def _all(self) -> list[Variable]:
        return self.params if self._target is None else list(self._target.params())

    def update(self) -> None:
        """Update every parameter that has a gradient, once."""
        params = [p for p in self._all() if p.grad is not None]
        for hook in self.hooks:
            hook(params)
        for param in params:
            self.update_one(param)

    step = update

    def update_one(self, param: Variable) -> None:
        """Update one parameter in place; defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__}.update_one is not defined")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients: None, or zeros in place where there is one (semantics.md 2.5)."""
        for param in self._all():
            if set_to_none:
                param.cleargrad()
            elif param.grad is not None:
                if param.grad.is_leaf:  # one that was assigned
                    param.grad.requires_grad = False
                param.grad.zero_()


def _gradient(param: Variable) -> Array:
    assert param.grad is not None
    return param.grad.data


class SGD(Optimizer):
    """``p -= lr * g``."""

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def update_one(self, param: Variable) -> None:
        param.data -= self.lr * _gradient(param)


class MomentumSGD(Optimizer):
    """``v = momentum * v + g`` (``g`` at first), ``p -= lr * v``: PyTorch's SGD with momentum."""

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum
        self.vs: WeakKeyDictionary[Variable, Array] = WeakKeyDictionary()

    def update_one(self, param: Variable) -> None:
        v = self.vs.get(param)
        if v is None:
            v = self.vs[param] = _gradient(param).copy()
        else:
            v *= self.momentum
            v += _gradient(param)
        param.data -= self.lr * v


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015) with PyTorch's placement of ``eps``."""

    def __init__(
        self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ) -> None:
        super().__init__()
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        #: By parameter: number of updates, means of gradients and of their squares.
        self.state: WeakKeyDictionary[Variable, tuple[int, Array, Array]] = WeakKeyDictionary()

    def update_one(self, param: Variable) -> None:
        g = _gradient(param)
        t, m, v = self.state.get(param) or (0, np.zeros_like(g), np.zeros_like(g))
        t += 1
        m += (1 - self.beta1) * (g - m)
        v *= self.beta2
        v += (1 - self.beta2) * (g * g)
        self.state[param] = t, m, v
        size = self.lr / (1 - self.beta1**t)
        root = float(np.sqrt(1 - self.beta2**t))
        param.data -= size * (m / (np.sqrt(v) / root + self.eps))
