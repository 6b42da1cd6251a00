"""``scan``: which operations a library has, and which of them compute what PyTorch does.

The library runs in a process of its own, which is replaced where an operation ends it.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing as mp
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
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
#: Seconds that one operation may take, or the import of the library.
_PATIENCE = 120
#: Functions by operation, how an array goes in, and how it comes out.
_Library = tuple[Mapping[str, Callable[..., Any]], Callable[[Any], Any], Callable[[Any], Any]]


@dataclass
class Scan:
    """The operations of a library."""

    module: str
    #: Operations that agree with PyTorch on all draws.
    same: list[str] = field(default_factory=list)
    #: Operations that agree where they do not raise, with an exception.
    partly: dict[str, str] = field(default_factory=dict)
    #: Operations that differ, raise on all draws or end the process, with what is seen.
    other: dict[str, str] = field(default_factory=dict)
    #: Operations of the table that the library does not have.
    missing: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{self.module}: {len(self.same)} operations compute what PyTorch does",
            f"they do for some operands or attributes, and raise for others: {len(self.partly)}",
            *(f"  {name}: {why}" for name, why in self.partly.items()),
            f"another function, or wrong: {len(self.other)}",
            *(f"  {name}: {why}" for name, why in self.other.items()),
            f"not there: {len(self.missing)}",
            *([f"  {', '.join(self.missing)}"] if self.missing else []),
        ]
        return "\n".join(lines)

    def add(self, name: str, seen: Sequence[str] | None) -> None:
        """Add an operation: what each draw showed ("" where it agrees); None: it is missing."""
        if seen is None:
            self.missing.append(name)
        elif wrong := [s for s in seen if s and not s.startswith(_RAISES)]:
            self.other[name] = wrong[0]
        elif all(seen) and seen:
            self.other[name] = seen[0]
        elif any(seen):
            self.partly[name] = next(filter(None, seen))
        else:
            self.same.append(name)


_RAISES = "raises "


def scan(name: str) -> Scan:
    """Compare every operation of a library with PyTorch, on its forward values alone.

    ``name`` is that of a module: ``paddle``, ``tensorflow``, ``mlx``, ``jax``, ``torch``, or one
    with NumPy's function names. Raises UsageError if it cannot be imported.

    Examples
    --------
    >>> "exp" in scan("numpy").same
    True
    """
    found, left = Scan(name), list(OPS)
    while left:
        for op, seen in zip(tuple(left), _seen(name, left), strict=False):
            found.add(op, seen)
            left.remove(op)
    return found


def _seen(name: str, ops: list[str]) -> Iterator[Sequence[str] | None]:
    """Yield what is seen of each operation, up to the first that ends the process."""
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(name, ops, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        failed = _received(ours)
        if failed != [""]:
            raise UsageError(f"{name}: {failed[0]}: install it, or check the name")
        for _ in ops:
            yield (seen := _received(ours))
            if seen == [_ENDED]:
                return
    finally:
        process.kill()
        process.join()


_ENDED = f"ends the process, or takes more than {_PATIENCE} s"


def _received(connection: Connection) -> Any:
    with contextlib.suppress(EOFError):
        if connection.poll(_PATIENCE):
            return connection.recv()
    return [_ENDED]


def _work(name: str, ops: Sequence[str], connection: Connection) -> None:
    """Send what is seen of each operation, after why the library cannot be used, or ""."""
    try:
        library = _library(name)
    except (ImportError, ValueError) as error:
        connection.send([described(error)])
        return
    connection.send([""])
    for op in ops:
        connection.send(compared(op, *library))


def _library(name: str) -> _Library:
    library = LIBRARIES.get(name)
    if library is not None:
        namespace = {"numpy": np, **library.namespace()}
        into, out = (eval(f"lambda a: {t}", namespace) for t in (library.array, library.numpy))
        return library.functions(), into, out
    module = importlib.import_module(name)
    if hasattr(module, "from_numpy"):
        return torch_like(module), module.from_numpy, lambda t: t.numpy()
    made: Any = getattr(module, "asarray", None) or getattr(module, "array", None)
    return numpy_like(module), made or np.asarray, np.asarray


def compared(
    name: str,
    functions: Mapping[str, Callable[..., Any]],
    into: Callable[[Any], Any],
    out: Callable[[Any], Any],
) -> list[str] | None:
    """Compare a function on arrays of a library with PyTorch's; None if there is none."""
    if name not in functions:
        return None
    op = OPS[name]
    draws = (draw(op, random.Random(k), grid=k % 2 == 1) for k in range(DRAWS))
    return [_difference(d, functions[name], into, out) for d in draws if d is not None]


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
        return one_line(f"{_RAISES}{described(error)}")[:160]
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
