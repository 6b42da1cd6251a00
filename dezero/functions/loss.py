"""Losses: mean squared error, softmax with cross entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero.functions.reduction import log_softmax, sum
from dezero.functions.shape import get_item
from dezero.variable import Operand, Variable, as_array, as_variable


def mean_squared_error(x0: Operand, x1: Operand) -> Variable:
    """The sum of squared differences over the number of rows (the book's definition).

    For vectors and single columns this is PyTorch's ``mse_loss``.
    """
    diff = as_variable(as_array(x0)) - as_variable(as_array(x1))
    return sum(diff * diff) / float(len(diff) if diff.ndim else 1)


def softmax_cross_entropy(x: Operand, t: Any) -> Variable:
    """The mean of -log(softmax(x)) at the true classes; PyTorch's ``cross_entropy``.

    ``x``: scores of shape (N, C). ``t``: N integers from 0 to C - 1.
    """
    x = as_variable(as_array(x))
    labels = np.asarray(t.data if isinstance(t, Variable) else t)
    if x.ndim != 2 or labels.size != x.shape[0]:
        raise IndexError(
            f"softmax_cross_entropy: shape mismatch, {labels.size} labels for scores of {x.shape}"
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < x.shape[1]):
        raise IndexError(
            f"softmax_cross_entropy: a label is out of bounds, they go from 0 to {x.shape[1] - 1}"
        )
    rows = np.arange(x.shape[0])
    chosen = get_item(log_softmax(x, axis=1), (rows, labels.ravel()))
    return -(sum(chosen) / float(x.shape[0]))
