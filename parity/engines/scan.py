"""``scan``: which operations a library has, and which of them compute what PyTorch does."""

from __future__ import annotations

import contextlib
import importlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity._util.errors import UsageError
from parity._util.escape import described, one_line
from parity.engines.adapters.libraries import LIBRARIES, torch_like
from parity.engines.adapters.numpy_like import numpy_like
from parity.language.draws import Draw, draw
from parity.language.table import OPS, keywords

#: Draws on which an operation is compared, and how far results may differ relative to the largest.
DRAWS, _CLOSE = 6, 1e-4


@dataclass
class Scan:
    """The operations of a library."""

    module: str
    #: Operations that agree with PyTorch on all draws.
    same: list[str] = field(default_factory=list)
    #: Operations that differ, with what is seen.
    other: dict[str, str] = field(default_factory=dict)
    #: Operations of the table that the library does not have.
    missing: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{self.module}: {len(self.same)} operations compute what PyTorch does",
            f"another function, or wrong: {len(self.other)}",
            *(f"  {name}: {why}" for name, why in self.other.items()),
            f"not there: {len(self.missing)}",
            *([f"  {', '.join(self.missing)}"] if self.missing else []),
        ]
        return "\n".join(lines)


def scan(name: str) -> Scan:
    """Compare every operation of a library with PyTorch, on its forward values alone.

    ``name`` is that of a module: ``paddle``, ``tensorflow``, ``mlx``, ``jax``, ``torch``, or one
    with NumPy's function names. Raises UsageError if it cannot be imported.
    """
    library = LIBRARIES.get(name)
    try:
        if library is not None:
            namespace = {"numpy": np, **library.namespace()}
            functions = library.functions()
            into, out = (eval(f"lambda a: {t}", namespace) for t in (library.array, library.numpy))
        else:
            module = importlib.import_module(name)
            functions, into, out = _like(module)
    except ImportError as error:
        raise UsageError(f"{name}: {described(error)}: install it, or check the name") from None
    return compare_functions(name, functions, into, out)


def _like(module: Any) -> tuple[dict[str, Any], Callable[[Any], Any], Callable[[Any], Any]]:
    """Return functions of a module with the names of PyTorch or NumPy, and how arrays go in."""
    if hasattr(module, "from_numpy"):
        return torch_like(module), module.from_numpy, lambda t: t.numpy()
    into: Any = getattr(module, "asarray", None) or getattr(module, "array", None)
    return numpy_like(module), into or np.asarray, np.asarray


def compare_functions(
    module: str,
    functions: Mapping[str, Callable[..., Any]],
    into: Callable[[Any], Any],
    out: Callable[[Any], Any],
) -> Scan:
    """Compare functions on arrays of a library with PyTorch's."""
    found = Scan(module)
    for name, op in OPS.items():
        if name not in functions:
            found.missing.append(name)
            continue
        draws = (draw(op, random.Random(k), grid=k % 2 == 1) for k in range(DRAWS))
        reasons = [_difference(d, functions[name], into, out) for d in draws if d is not None]
        reason = next(filter(None, reasons), "")
        if reason:
            found.other[name] = reason
        else:
            found.same.append(name)
    return found


def _difference(
    drawn: Draw,
    function: Callable[..., Any],
    into: Callable[[Any], Any],
    out: Callable[[Any], Any],
) -> str:
    """Return how a function differs from PyTorch's on these operands; "" if it does not."""
    import torch  # only where it is compared

    attrs = keywords(drawn.op.name, drawn.attrs)
    arrays = [leaf.array() for leaf in drawn.leaves]
    expected = _several(drawn.op.function(*map(torch.from_numpy, arrays), **attrs))
    try:
        with np.errstate(all="ignore"):
            given = [np.asarray(out(y)) for y in _several(function(*map(into, arrays), **attrs))]
    except Exception as error:
        return one_line(f"raises {described(error)}")[:160]
    right = [y.numpy() for y in expected]
    if [y.shape for y in given] != [y.shape for y in right]:
        return f"shape {[y.shape for y in given]}, and {[y.shape for y in right]} in PyTorch"
    for ours, theirs in zip(given, right, strict=True):
        scale = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=1e-3))
        with contextlib.suppress(TypeError), np.errstate(all="ignore"):
            near = np.isclose(ours, theirs, rtol=0, atol=_CLOSE * scale, equal_nan=True)
            if not near.all():
                return one_line(f"{ours.ravel()[:4]}, and {theirs.ravel()[:4]} in PyTorch")
    return ""


def _several(results: Any) -> list[Any]:
    return list(results) if isinstance(results, (tuple, list)) else [results]
