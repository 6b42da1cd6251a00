"""The start of an adapter, for people to fill in: ``parity adapter NEW.py``."""

from __future__ import annotations

from pathlib import Path

from parity._util.errors import UsageError
from parity.language.operation import Operation
from parity.language.table import OPS

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

    # What your engine can do. Attributes come as keywords. What is a comment here is not
    # tested: take the "#" away from what your engine has, and correct how it is called. Libraries
    # with NumPy's names have most of it: {{**numpy_like(engine)}} of adapters.numpy_like.
    ops = {{
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
{ops}
    }}

    def leaf(self, array):
        """A new variable on a copy of an ndarray. An engine with constants takes requires_grad."""
        return Tensor(float(array))
        # Of arrays:  def leaf(self, array, requires_grad=True):
        #                 return Tensor(array.copy(), requires_grad=requires_grad)

    def value(self, t):
        """The value of a tensor as an ndarray."""
        # 2. For example:  return np.array(float(t.data))  or of arrays  return t.data
        return ...

    def grad(self, t):
        """The gradient of a leaf as an ndarray, or None."""
        # 3. For example:  return np.array(float(t.grad))  or of arrays  return t.grad
        return ...

    def backward(self, t, gradient=None, *, retain_graph=False, create_graph=False):
        """Propagate from t. An engine that takes no gradient gets it as a factor.

        Of arrays: the sum of that product. An engine that takes one:  t.backward(gradient)
        """
        root = t if gradient is None else self.ops["mul"](t, self.leaf(gradient))
        # 4. For example:  root.backward()  or  root.backward(retain_graph=retain_graph)
        ...

    # What your engine has for some operands only is said where it is called, and is no finding:
    #     from parity.engines import Unsupported
    #     raise Unsupported("matmul of vectors")
    #
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
    made = False
    try:
        with file.open("x", encoding="utf-8") as stream:
            made = True
            stream.write(_TEXT.format(name=_name(file), file=file.name, ops=_operations()))
    except FileExistsError:
        raise AdapterFileError(f"{file} exists already, and is left as it is") from None
    except OSError as error:
        if made:  # half a file would be in the way of the next time
            file.unlink()
        raise AdapterFileError(f"{file} cannot be written: {error.strerror}") from None
    return (
        f"{file} written: fill in the four lines marked 1 to 4, then\n"
        f"    parity check --engine {file}:Mine"
    )


#: Those with an operator, or with one of the two usual ways to be called; the rest are methods.
_CALLS = {
    "sub": "a - b",
    "neg": "-a",
    "div": "a / b",
    "pow": "a**exponent",
    "power": "a**b",
    "matmul": "a @ b",
    "get_item": "a[index]",
    "add_scalar": "a + c",
    "mul_scalar": "a * c",
    "sub_scalar": "a - c",
    "rsub_scalar": "c - a",
    "div_scalar": "a / c",
    "rdiv_scalar": "c / a",
}


def _operations() -> str:
    """A comment for each operation that is not filled in: its name and how it may be called."""
    rest = [op for op in OPS.values() if op.name not in ("add", "mul")]
    return "\n".join(f'        # "{op.name}": lambda {_call(op)},' for op in rest)


def _call(op: Operation) -> str:
    """Parameters and body of a lambda for an operation."""
    operands = ("a", "b", "d")[: op.arity] if op.arity else ("*xs",)
    attrs = sorted(op.attrs)
    parameters = [*operands, *(["*"] if attrs and op.arity else []), *attrs]
    call = _CALLS.get(op.name)
    if call is None:
        given = [f"{name}={name}" for name in attrs]
        first, others = (operands[0], operands[1:]) if op.arity else ("engine", operands)
        call = f"{first}.{op.name}({', '.join([*others, *given])})"
    return f"{', '.join(parameters)}: {call}"


def _name(file: Path) -> str:
    """A name for reports: the file's, without what would end a string."""
    return "".join(c for c in file.stem if c.isalnum() or c in "-_. ") or "mine"
