"""Template of an adapter, which ``parity adapter NEW.py`` writes for users to fill in."""

from __future__ import annotations

from pathlib import Path

from parity._util.errors import UsageError
from parity._util.escape import docstring, one_line
from parity.language.operation import Operation
from parity.language.table import OPS, with_rules

_TEXT = '''\
"""Adapter of {name} for parity.

Fill in the four lines marked 1 to 4, then run:

    parity check --engine {file}:Mine
"""

import numpy as np

from parity.engines import Engine

# 1. The class of your tensors, for example:  from micrograd.engine import Value as Tensor
Tensor = ...


class Mine(Engine):
    name = "{name}"
    dtypes = ("float64",)  # dtypes of leaves; or ("float32", "float64")
    max_ndim = 0  # scalars only; None for arrays of any number of dimensions

    # The operations of your engine: tensors in, attributes as keyword arguments. Operations in
    # comments are not tested: uncomment what your engine has, and correct the call. A library with
    # NumPy's names can use {{**numpy_like(library)}} of parity.engines.adapters.numpy_like.
    ops = {{
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
{ops}
    }}

    def leaf(self, array):
        """A leaf that holds a copy of an ndarray. With constants: add requires_grad=True."""
        return Tensor(float(array))
        # For arrays:  def leaf(self, array, requires_grad=True):
        #                  return Tensor(array.copy(), requires_grad=requires_grad)

    def value(self, t):
        """The value of a tensor as an ndarray."""
        # 2. For example:  return np.array(float(t.data))  or for arrays  return t.data
        return ...

    def grad(self, t):
        """The gradient of a leaf as an ndarray, or None."""
        # 3. For example:  return np.array(float(t.grad))  or for arrays  return t.grad
        return ...

    def backward(self, t, gradient=None, *, retain_graph=False, create_graph=False):
        """Run a backward pass from t.

        The product works for scalars where the engine's backward takes no gradient (for arrays:
        the sum of it). Where it takes one:  t.backward(gradient)
        """
        if gradient is not None and np.shape(gradient) != np.shape(self.value(t)):
            raise ValueError(f"the gradient has the shape {{np.shape(gradient)}}")
        root = t if gradient is None else self.ops["mul"](t, self.leaf(gradient))
        # 4. For example:  root.backward()  or  root.backward(retain_graph=retain_graph)
        ...

    # Raise Unsupported for operands that your engine does not support; it is not a finding:
    #     from parity.engines import Unsupported
    #     raise Unsupported("matmul of vectors")
    #
    # Optional methods; what you define is tested as well (see parity.engines.Engine):
    #
    # def clear_grad(self, t):    # set the gradient to None
    #     t.grad = None
    #
    # def zero_grad(self, t):     # fill the gradient with zeros in place
    #     t.grad = 0.0
    #
    # def detach(self, t):        # a constant with the same value
    #     return t.detach()
    #
    # def no_grad(self):          # a context manager in which operations are not recorded
    #     return engine.no_grad()
    #
    # def grad_tensor(self, t):   # the gradient as a tensor, for second derivatives
    #     return t.grad
'''


def write_adapter(file: Path) -> str:
    """Write the template of an adapter to a new file, and return the next steps for the user.

    Raises UsageError if the file exists already, is not a Python file or cannot be written.
    """
    if file.suffix != ".py":
        raise UsageError(f"{file}: the name of an adapter must end with .py")
    # The name may not end a string literal.
    name = "".join(c for c in file.stem if c.isalnum() or c in "-_. ") or "mine"
    created = False
    try:
        with file.open("x", encoding="utf-8") as stream:
            created = True
            name_of_file = docstring(one_line(file.name))
            stream.write(_TEXT.format(name=name, file=name_of_file, ops=_operations()))
    except FileExistsError:
        raise UsageError(f"{file} exists already and was not changed") from None
    except OSError as error:
        if created:  # an incomplete file would block the next attempt
            file.unlink()
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    return (
        f"{one_line(file)} written: fill in the four lines marked 1 to 4, then\n"
        f"    parity check --engine {one_line(file)}:Mine"
    )


#: Calls of operations in the template; all others are written as methods.
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
    """Return a comment line for each operation but ``add`` and ``mul``: its name and a call."""
    rest = [OPS[name] for name in with_rules() if name not in ("add", "mul")]
    return "\n".join(f'        # "{op.name}": lambda {_call(op)},' for op in rest)


def _call(op: Operation) -> str:
    """Return parameters and body of a lambda for an operation."""
    operands = ("a", "b", "c")[: op.arity] if op.arity else ("*xs",)
    attrs = sorted(op.kinds)
    parameters = [*operands, *(["*"] if attrs and op.arity else []), *attrs]
    call = _CALLS.get(op.name)
    if call is None:
        keywords = [f"{name}={name}" for name in attrs]
        first, others = (operands[0], operands[1:]) if op.arity else ("engine", operands)
        call = f"{first}.{op.name}({', '.join([*others, *keywords])})"
    return f"{', '.join(parameters)}: {call}"
