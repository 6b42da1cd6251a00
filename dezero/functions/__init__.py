"""The differentiable functions: ``import dezero.functions as F``.

Each takes Variables, ndarrays and Python scalars, broadcasts as NumPy does,
keeps the dtype (a float32 leaf gets a float32 gradient, also with Python
scalars), returns a Variable (``split`` a tuple of them) and can be
differentiated twice. Gradient formulas are PyTorch's, also at kinks and edges
(semantics.md 9, 15.7).
"""

from dezero.functions.arithmetic import add, div, mul, neg, pow, square, sub
from dezero.functions.elementwise import (
    absolute,
    cos,
    exp,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    sin,
    tanh,
)
from dezero.functions.linalg import matmul
from dezero.functions.reduction import mean, sum
from dezero.functions.shape import (
    broadcast_to,
    cast,
    concat,
    get_item,
    reshape,
    split,
    sum_to,
    transpose,
)

__all__ = [
    "absolute",
    "add",
    "broadcast_to",
    "cast",
    "concat",
    "cos",
    "div",
    "exp",
    "get_item",
    "log",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "mul",
    "neg",
    "pow",
    "relu",
    "reshape",
    "sigmoid",
    "sin",
    "split",
    "square",
    "sub",
    "sum",
    "sum_to",
    "tanh",
    "transpose",
]
