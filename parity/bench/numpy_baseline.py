"""The NumPy baseline: workloads with hand-written gradients, without a graph and an engine.

The difference between an engine's time and the baseline's is the cost of the graph. ``[()]`` turns
a 0-d array into a NumPy scalar, which is faster, and returns a view of any other array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def chain(steps: int, x: Any) -> Sequence[Any]:
    """``y = y * x; y = y + x``."""
    x = y = x[()]
    ys = []
    for _ in range(steps):
        ys.append(y)
        y = y * x
        y = y + x
    g, gx = np.ones_like(y)[()], np.zeros_like(x)[()]
    while ys:
        gx += g
        gx += g * ys.pop()
        g = g * x
    return (gx + g,)


def fan_out(steps: int, x: Any) -> Sequence[Any]:
    """``y = y + x``."""
    x = y = x[()]
    for _ in range(steps):
        y = y + x
    g = np.ones_like(y)[()]
    gx = g.copy()
    for _ in range(steps):
        gx += g
    return (gx,)


def diamond_ladder(steps: int, a: Any, b: Any) -> Sequence[Any]:
    """``h = h * a + h * b``, starting with ``h = a``."""
    a, b = a[()], b[()]
    h, hs = a, []
    for _ in range(steps):
        hs.append(h)
        h = h * a + h * b
    g, ga, gb = np.ones_like(h)[()], np.zeros_like(a)[()], np.zeros_like(b)[()]
    while hs:
        p = g * hs.pop()
        ga += p
        gb += p
        g = g * a + g * b
    return ga + g, gb


def broadcast(steps: int, x: Any, row: Any, column: Any) -> Sequence[Any]:
    """``y = y * row; y = y + column``."""
    y, ys = x, []
    for _ in range(steps):
        ys.append(y)
        y = y * row
        y = y + column
    g, grow, gcolumn = np.ones_like(y), np.zeros_like(row), np.zeros_like(column)
    while ys:
        gcolumn += g.sum(1, keepdims=True)
        grow += (g * ys.pop()).sum(0)
        g = g * row
    return g, grow, gcolumn


def matmul(steps: int, x: Any, w: Any) -> Sequence[Any]:
    """``y = y @ w``."""
    y, ys = x, []
    for _ in range(steps):
        ys.append(y)
        y = y @ w
    g, gw = np.ones_like(y), np.zeros_like(w)
    while ys:
        gw += ys.pop().T @ g
        g = g @ w.T
    return g, gw


def mlp(x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Sequence[Any]:
    """``((tanh(x @ w1 + b1) @ w2 + b2) ** 2).sum()`` with respect to the parameters."""
    h = np.tanh(x @ w1 + b1)
    y = h @ w2 + b2
    gy = y + y
    gh = gy @ w2.T
    gh *= 1 - h * h
    return x.T @ gh, gh.sum(0), h.T @ gy, gy.sum(0)
