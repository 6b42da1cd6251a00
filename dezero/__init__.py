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
from dezero.modes import Config, enable_grad, no_grad, using_config
from dezero.operators import install as _install_operators
from dezero.variable import Variable, as_array, as_variable

_install_operators()

__version__ = "0.1.0"
__all__ = [
    "Config",
    "Function",
    "Variable",
    "add",
    "as_array",
    "as_variable",
    "enable_grad",
    "functions",
    "no_grad",
    "square",
    "using_config",
]
