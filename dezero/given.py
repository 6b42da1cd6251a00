"""What users give: operands, gradients to ``backward``, and those that their functions return."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dezero.graph import Data, grad_dtype
from dezero.variable import Variable, as_variable, variable_on


def scalar_dtype(operands: Iterable[Any]) -> np.dtype[Any] | None:
    """The dtype that Python scalars among these operands take, so that float32 stays float32."""
    dtypes = [
        x.dtype
        for x in operands
        if isinstance(x, (Variable, np.ndarray, np.generic)) and x.dtype.kind == "f"
    ]
    return np.result_type(*dtypes) if dtypes else None


def as_variables(inputs: Sequence[Any]) -> list[Variable]:
    """Inputs as Variables; a Python scalar takes the dtype of the others (float32 stays)."""
    dtype = scalar_dtype(x for x in inputs if not isinstance(x, np.generic))
    return [
        Variable(np.asarray(x, dtype), requires_grad=False)
        if isinstance(x, (int, float)) and not isinstance(x, np.generic)
        else as_variable(x)
        for x in inputs
    ]


def seed_of(variable: Variable, gradient: Any, create_graph: bool) -> Any:
    """The gradient of the root: of its shape and dtype (semantics.md 4.2, 4.3)."""
    dtype = grad_dtype(variable._data)
    shape = variable.shape
    if gradient is None:
        data = np.ones(shape, dtype)
    else:
        if isinstance(gradient, Variable):
            data = gradient._data
        else:
            data = np.asarray(gradient)
            if data.dtype.kind not in "fiub":
                raise TypeError(f"gradient can be a Variable or an ndarray, got {gradient!r}")
        if data.shape != shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[0] has a shape of {data.shape} and output[0] has "
                f"a shape of {shape}."
            )
        if create_graph and isinstance(gradient, Variable):
            return gradient if data.dtype == dtype else gradient.astype(dtype)
    if create_graph:
        return variable_on(np.array(data, dtype), None)
    # A 0-d seed goes on as a NumPy scalar, see graph.Data.
    return data.astype(dtype)[()] if shape == () else data.astype(dtype, copy=False)


class InvalidGradientError(Exception):
    """What is wrong with a gradient that a user's function returned."""


def checked_gradient(gx: Any, x: Data, index: int, create_graph: bool) -> Any:
    """One gradient of a user's function, of the input's shape and gradient dtype."""
    if not isinstance(gx, (Variable, np.ndarray, np.generic)):
        raise InvalidGradientError(
            f"an invalid gradient at index {index} - expected Variable, ndarray or None "
            f"(got {type(gx).__name__})"
        )
    if gx.shape != x.shape:
        raise InvalidGradientError(
            f"an invalid gradient at index {index} - got {gx.shape} but expected shape {x.shape}"
        )
    dtype = grad_dtype(x)
    if create_graph:
        gx = as_variable(gx)
        return gx if gx.dtype == dtype else gx.astype(dtype)
    return (gx._data if isinstance(gx, Variable) else gx).astype(dtype, copy=False)
