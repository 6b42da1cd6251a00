"""Operations of libraries by name: an adapter has every row that its library has.

``parity.engines.adapters.names`` has a table for each library: the name of an operation and an
expression in the library's own functions. ``torch_like`` and ``numpy_like`` serve modules that have
the function names of PyTorch or NumPy.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from parity._util.escape import one_line
from parity.engines.base import Unsupported
from parity.language.expression import dotted
from parity.language.table import OPS

_NAMES = "parity.engines.adapters.names"


@dataclass(frozen=True)
class Library:
    """A library with tables of names: where its functions are, and how arrays go in and out."""

    #: The modules of ``parity.engines.adapters.names`` with its names.
    tables: tuple[str, ...]
    #: The modules that the expressions name, by their names there.
    modules: Mapping[str, str]
    #: Expressions over the array ``a``: to an array of the library, and to one of NumPy.
    array: str
    numpy: str = "numpy.asarray(a)"

    def namespace(self) -> dict[str, Any]:
        """Import the modules. Raises ImportError if one is missing."""
        return {name: importlib.import_module(path) for name, path in self.modules.items()}

    def names(self) -> dict[str, str]:
        """Return the expressions by operation."""
        found: dict[str, str] = {}
        for table in self.tables:
            found.update(importlib.import_module(f"{_NAMES}.{table}").NAMES)
        return found

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the operations that the installed version has."""
        return named_functions(self.names(), self.namespace())

    def ops(self) -> dict[str, Callable[..., Any]]:
        """Return the operations for ``Engine.ops``: what a function refuses is not supported.

        A library limits ranks, dtypes and attributes, and says so in exceptions of many types.
        """
        return {name: _supported(name, f) for name, f in self.functions().items()}


#: The libraries by the name of their module.
LIBRARIES: dict[str, Library] = {
    "paddle": Library(
        ("paddle", "paddle_layers"),
        {"paddle": "paddle", "F": "paddle.nn.functional"},
        "paddle.to_tensor(a)",
        "a.numpy()",
    ),
    "tensorflow": Library(
        ("tensorflow", "tensorflow_layers"),
        {"tf": "tensorflow", "np": "numpy"},
        "tf.constant(a)",
        "a.numpy()",
    ),
    "mlx": Library(
        ("mlx", "mlx_layers"),
        {"mx": "mlx.core", "nn": "mlx.nn", "np": "numpy"},
        "mx.array(a)",
    ),
    "jax": Library(
        ("jax", "jax_layers"),
        {"jnp": "jax.numpy", "jax": "jax", "np": "numpy", "_special": "jax.scipy.special"},
        "jnp.array(a)",
    ),
}


#: What libraries say of a gradient, or of a dtype, that they do not have.
_REFUSAL = re.compile(
    "no gradient|has no entry|cannot calculate|unsupported|not (defined|supported|implemented)",
    re.IGNORECASE,
)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Raise ``Unsupported`` in place of an exception that says that the library lacks something.

    Examples
    --------
    >>> with refusals():
    ...     raise ValueError("VJP not implemented for QRF")
    Traceback (most recent call last):
    parity.engines.base.Unsupported: VJP not implemented for QRF
    """
    try:
        yield
    except Exception as error:
        if not _REFUSAL.search(str(error)):
            raise
        raise Unsupported(one_line(str(error))) from None


def _supported(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*xs: Any, **attrs: Any) -> Any:
        try:
            return function(*xs, **attrs)
        except SystemError:  # an internal error: no refusal
            raise
        except Exception:
            raise Unsupported(f"{name} of some operands or attributes") from None

    return apply


def named_functions(
    names: Mapping[str, str], namespace: Mapping[str, Any]
) -> dict[str, Callable[..., Any]]:
    """Return functions for ``Engine.ops`` from expressions.

    Parameters
    ----------
    names
        For each operation an expression over its operands ``a``, ``b`` ... and its attributes.
    namespace
        The modules that expressions name. An operation whose function is missing there is left
        out.

    Examples
    --------
    >>> import numpy
    >>> functions = named_functions({"exp": "np.exp(a)", "erf": "np.erf(a)"}, {"np": numpy})
    >>> list(functions), float(functions["exp"](0.0))
    (['exp'], 1.0)
    """
    return {
        name: eval(source, dict(namespace))
        for name, text in names.items()
        if name in OPS and _exists(source := OPS[name].as_lambda(text), namespace)
    }


def _exists(source: str, namespace: Mapping[str, Any]) -> bool:
    """Return whether the modules have all functions that an expression names."""
    for node in ast.walk(ast.parse(source, mode="eval")):
        if not isinstance(node, ast.Attribute):
            continue
        root, *path = dotted(node)
        found = namespace.get(root)
        for part in path if found is not None else ():
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
    return True


def torch_like(module: Any) -> dict[str, Callable[..., Any]]:
    """Return operations for ``Engine.ops`` from a module with PyTorch's function names.

    Operations whose function it does not have are left out.

    Examples
    --------
    >>> import torch
    >>> torch_like(torch)["softmax"](torch.zeros(2), axis=0)
    tensor([0.5000, 0.5000])
    """
    sources = {name: op.source for name, op in OPS.items() if op.torch is not None}
    return {
        name: eval(source, {"torch": module})
        for name, source in sources.items()
        if _exists(source, {"torch": module})
    }
