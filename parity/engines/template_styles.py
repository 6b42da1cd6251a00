"""The texts of ``parity adapter NEW.py``: one with all that an adapter may have, and four styles.

What is to be filled in is ``...``, which ``parity.engines.unfilled`` finds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from parity.language.attributes import NUMBER, OPTIONAL_NUMBER
from parity.language.shapes import Shape
from parity.language.table import OPS, attribute_choices, output_shapes, with_rules

_PLAIN = '''\
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

_SCALAR = '''\
"""Adapter of {name} for parity: an engine of scalars.

Fill in the four lines marked 1 to 4, then run:

    parity check --engine {file}:Mine
"""

import numpy as np

from parity.engines import Engine

# 1. The class of your scalars, for example:  from micrograd.engine import Value as Tensor
Tensor = ...


class Mine(Engine):
    name = "{name}"
    dtypes = ("float64",)
    max_ndim = 0  # scalars only

    # Scalars in, a scalar out; attributes by keyword. Uncomment what your engine has, and correct
    # the call.
    ops = {{
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
{ops}
    }}

    def leaf(self, array):  # array: ndarray without dimensions
        return Tensor(float(array))

    def value(self, t):
        # 2. The value of a scalar:  return np.array(float(t.data))
        return ...

    def grad(self, t):
        # 3. The gradient of a leaf, or None:  return np.array(float(t.grad))
        return ...

    def backward(self, t, gradient=None, *, retain_graph=False, create_graph=False):
        # gradient: None, or an ndarray without dimensions.
        if gradient is not None and np.shape(gradient) != ():
            raise ValueError(f"the gradient has the shape {{np.shape(gradient)}}")
        root = t if gradient is None else self.ops["mul"](t, self.leaf(gradient))
        # 4. Run a backward from root:  root.backward()
        ...

    # If your engine keeps graphs, so that a second backward needs no retain_graph, or has zeros as
    # first gradients, say so (`parity list quirks`):
    # quirks = frozenset({{"keeps-graphs", "zeros-instead-of-none"}})
'''

#: The end of the styles for arrays with tensors that have a backward.
_ARRAYS = """\
    def leaf(self, array, requires_grad=True):  # array: ndarray; requires_grad: bool
        # 2. A tensor that holds a copy:  {leaf}
        return ...

    def value(self, t):
        # 3. The value as an ndarray:  {value}
        return ...

    def grad(self, t):
        # 4. The gradient of a leaf as an ndarray, or None:  {grad}
        return ...

    def backward(self, t, gradient=None, *, retain_graph=False, create_graph=False):
        # gradient: None, or an ndarray of the shape and dtype of t.
        if gradient is not None and np.shape(gradient) != np.shape(self.value(t)):
            raise ValueError(f"the gradient has the shape {{{{np.shape(gradient)}}}}")
        # 5. Run a backward from t:  {backward}
        ...

    # What you define of these is tested as well (see parity.engines.Engine):
    #
    # def clear_grad(self, t):    # set the gradient to None
    #     t.grad = None
    #
    # def no_grad(self):          # a context manager in which operations are not recorded
    #     return library.no_grad()
    #
    # def detach(self, t):        # a constant with the same value
    #     return t.detach()
"""

#: The start of the styles for a library whose functions have known names.
_LIBRARY = '''\
"""Adapter of {{name}} for parity: {words}.

Fill in the {count} lines marked 1 to {number}, then run:

    parity check --engine {{file}}:Mine
"""

import numpy as np

from parity.engines{adapters} import {base}
from parity.engines.adapters.{module} import {function}

# 1. The module with the functions, for example:  {example}
library = ...


class Mine({base}):
    name = "{{name}}"
    dtypes = ("float32", "float64")
    max_ndim = None  # or the largest number of dimensions of an array
    min_ndim = 0  # or the smallest one
    # What your engine does not take, for example one axis at a time, and no keepdims:
    # attribute_limits = {{{{"axis": "integer", "keepdims": (False,)}}}}

    # All functions of the library that parity knows by name, called as in {like}. Those of your own
    # replace them: tensors in, attributes by keyword.
    {ops} = {{{{
        **{function}(library),
{{ops}}
    }}}}

'''

_FUNCTIONAL = """\
    def array(self, a):  # a: ndarray
        # 2. A copy as an array of the library:  return library.array(a)
        return ...

    def vjp(self, function, arguments, seed):
        # function: from arrays to an array; arguments: a tuple of arrays; seed: an array.
        # 3. The value, and the function from a seed to one gradient for each argument:
        #    jax.vjp(function, *arguments)
        value, pull = ...
        if np.shape(seed) != np.shape(value):
            raise ValueError(f"the gradient has the shape {{np.shape(seed)}}")
        return pull(seed)
"""


class Style(NamedTuple):
    """The text of an adapter with ``name``, ``file`` and ``ops`` to be formatted."""

    text: str
    #: How many lines are to be filled in, in words.
    lines: str
    #: The operations that are listed in comments.
    operations: Callable[[], list[str]]


def _all() -> list[str]:
    return [name for name in with_rules() if name not in ("add", "mul")]


def _of_scalars() -> list[str]:
    """Return the operations element by element, whose attributes are numbers."""
    numbers = {NUMBER, OPTIONAL_NUMBER}
    return [name for name in _all() if _is_scalar(name) and numbers >= {*OPS[name].kinds.values()}]


def _is_scalar(name: str) -> bool:
    """Whether an operation applies to scalars."""
    shapes: tuple[Shape, ...] = ((),) * OPS[name].arity
    choices = attribute_choices(name, shapes) if shapes else ()
    return bool(choices) and output_shapes(name, shapes, choices[0]) == ((),)


def _with_attributes() -> list[str]:
    return [name for name in with_rules() if OPS[name].kinds]


_NUMPY = _LIBRARY.format(
    words="tensors with a backward, and functions with NumPy's names",
    count="five",
    number=5,
    adapters="",
    base="Engine",
    module="numpy_like",
    function="numpy_like",
    example="import mygrad as library",
    like="NumPy",
    ops="ops",
) + _ARRAYS.format(
    leaf="return library.tensor(array.copy(), constant=not requires_grad)",
    value="return t.data",
    grad="return t.grad",
    backward="t.backward(gradient)",
)
_TORCH = _LIBRARY.format(
    words="tensors with a backward, and functions with PyTorch's names",
    count="five",
    number=5,
    adapters="",
    base="Engine",
    module="libraries",
    function="torch_like",
    example="import torch as library",
    like="PyTorch",
    ops="ops",
) + _ARRAYS.format(
    leaf="return library.tensor(array, requires_grad=requires_grad)",
    value="return t.detach().numpy()",
    grad="return None if t.grad is None else t.grad.numpy()",
    backward="t.backward(None if gradient is None else library.tensor(gradient), retain_graph)",
)
_FUNCTIONS = (
    _LIBRARY.format(
        words="a library that differentiates functions, such as jax.vjp",
        count="three",
        number=3,
        adapters=".adapters.functional",
        base="Functional",
        module="numpy_like",
        function="numpy_like",
        example="import jax.numpy as library",
        like="NumPy",
        ops="functions",
    )
    + _FUNCTIONAL
)
#: By the option of ``parity adapter``, without its dashes; "" is for none.
STYLES: dict[str, Style] = {
    "": Style(_PLAIN, "four", _all),
    "scalar": Style(_SCALAR, "four", _of_scalars),
    "numpy-like": Style(_NUMPY, "five", _with_attributes),
    "torch-like": Style(_TORCH, "five", _with_attributes),
    "functional": Style(_FUNCTIONS, "three", _with_attributes),
}
