"""The start of an adapter, for people to fill in: ``parity adapter NEW.py``."""

from __future__ import annotations

from pathlib import Path

from parity.errors import UsageError

_TEXT = '''\
"""An adapter: how {name} does things, for parity.

Fill in the four lines marked 1 to 4, then run:

    parity check --engine {file}:Mine
"""

import numpy as np

from parity.engines import Engine

# 1. The class of your tensors, for example:  from micrograd.engine import Value as Tensor
Tensor = ...


class Mine(Engine):
    name = "{name}"
    dtypes = ("float64",)  # of leaves; both: ("float32", "float64")
    max_ndim = 0  # scalars only; None for arrays of any number of dimensions

    # What your engine can do, by the names in parity.ops.OPS. Take out what it lacks; what is
    # not here is not tested. Attributes come as keywords:
    #     "sum": lambda a, *, axis, keepdims: a.sum(axis, keepdims),
    #     "pow": lambda a, *, exponent: a**exponent,
    ops = {{
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
    }}

    def leaf(self, array):
        """A new variable on a copy of an ndarray."""
        return Tensor(float(array))

    def value(self, t):
        """The value of a tensor as an ndarray."""
        # 2. For example:  return np.array(float(t.data))
        return ...

    def grad(self, t):
        """The gradient of a leaf as an ndarray, or None."""
        # 3. For example:  return np.array(float(t.grad))
        return ...

    def backward(self, t, gradient=None, *, retain_graph=False, create_graph=False):
        """Propagate from t. An engine that takes no gradient gets it as a factor."""
        root = t if gradient is None else self.ops["mul"](t, self.leaf(gradient))
        # 4. For example:  root.backward()  or  root.backward(retain_graph=retain_graph)
        ...

    # Each of these that you define is an ability that is tested as well:
    #
    # def clear_grad(self, t):    # the gradient becomes None
    #     t.grad = None
    #
    # def zero_grad(self, t):     # the gradient is filled with zeros
    #     t.grad = 0.0
    #
    # def detach(self, t):        # a constant on the same value
    #     return t.detach()
    #
    # def no_grad(self):          # a context manager in which nothing is recorded
    #     return engine.no_grad()
    #
    # def grad_tensor(self, t):   # the gradient as a tensor, for second order
    #     return t.grad
'''


class AdapterFileError(UsageError):
    """The file cannot be written; the message is one line."""


def write_adapter(file: Path) -> str:
    """Write the start of an adapter to a new file; what to do next, as text.

    Raises AdapterFileError if there is something already, or it cannot be written.
    """
    if file.suffix != ".py":
        raise AdapterFileError(f"{file}: the name of an adapter ends with .py")
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(_TEXT.format(name=_name(file), file=file.name))
    except FileExistsError:
        raise AdapterFileError(f"{file} exists already, and is left as it is") from None
    except OSError as error:
        raise AdapterFileError(f"{file} cannot be written: {error.strerror}") from None
    return (
        f"{file} written: fill in the four lines marked 1 to 4, then\n"
        f"    parity check --engine {file}:Mine"
    )


def _name(file: Path) -> str:
    """A name for reports: the file's, without what would end a string."""
    return "".join(c for c in file.stem if c.isalnum() or c in "-_. ") or "mine"
