"""A compact autograd engine on NumPy, after "Deep Learning from Scratch 3".

>>> import numpy as np
>>> from dezero import Variable, add
>>> x = Variable(np.array(3.0))
>>> add(x, x).backward()
>>> x.grad
variable(2.0)
"""

from dezero import functions
from dezero.function import Function
from dezero.functions import add, square
from dezero.gradient import grad
from dezero.layers import Layer
from dezero.models import Model
from dezero.modes import Config, enable_grad, no_grad, using_config
from dezero.operators import install as _install_operators
from dezero.parameter import Parameter
from dezero.variable import Variable, as_array, as_variable

_install_operators()

from dezero import layers, models, optimizers, utils  # noqa: E402 - they compute with Variables

__version__ = "0.1.0"
__all__ = [
    "Config",
    "Function",
    "Layer",
    "Model",
    "Parameter",
    "Variable",
    "add",
    "as_array",
    "as_variable",
    "enable_grad",
    "functions",
    "grad",
    "layers",
    "models",
    "no_grad",
    "optimizers",
    "square",
    "using_config",
    "utils",
]
