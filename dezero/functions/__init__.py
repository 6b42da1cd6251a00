"""The differentiable functions: ``import dezero.functions as F``.

Each takes Variables, ndarrays and Python scalars, broadcasts as NumPy does,
keeps the dtype (a float32 leaf gets a float32 gradient, also with Python
scalars), returns a Variable (``split`` a tuple of them) and can be
differentiated twice. Gradient formulas are PyTorch's, also at kinks and edges
(semantics.md 9, 15.7).
"""

from dezero.functions.arithmetic import add, div, mul, neg, pow, sqrt, square, sub
from dezero.functions.elementwise import (
    absolute,
    clip,
    cos,
    exp,
    floor,
    gelu,
    leaky_relu,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    sign,
    sin,
    softplus,
    tanh,
    where,
)
from dezero.functions.linalg import dot, einsum, linear, matmul, outer
from dezero.functions.loss import mean_squared_error, softmax_cross_entropy
from dezero.functions.reduction import (
    cumsum,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    prod,
    softmax,
    sum,
    var,
)
from dezero.functions.shape import (
    broadcast_to,
    cast,
    concat,
    expand_dims,
    flip,
    get_item,
    moveaxis,
    pad,
    reshape,
    split,
    squeeze,
    stack,
    sum_to,
    take_along_axis,
    transpose,
)

abs = absolute
# Names of the book for simpler forms of the same functions.
linear_simple = linear
sigmoid_simple = sigmoid
softmax_simple = softmax
softmax_cross_entropy_simple = softmax_cross_entropy

__all__ = [
    "absolute",
    "add",
    "broadcast_to",
    "cast",
    "clip",
    "concat",
    "cos",
    "cumsum",
    "div",
    "dot",
    "einsum",
    "exp",
    "expand_dims",
    "flip",
    "floor",
    "gelu",
    "get_item",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "mean_squared_error",
    "min",
    "minimum",
    "moveaxis",
    "mul",
    "neg",
    "norm",
    "outer",
    "pad",
    "pow",
    "prod",
    "relu",
    "reshape",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "sum_to",
    "take_along_axis",
    "tanh",
    "transpose",
    "var",
    "where",
]
