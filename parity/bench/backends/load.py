"""From the name on a command line to what is measured."""

from __future__ import annotations

import importlib
import importlib.util

from parity._util.errors import UsageError
from parity.bench.backends.base import Backend

_HERE = "parity.bench.backends"
#: Engines that have a name of their own, in the order of tables.
BACKENDS = {
    "dezero": f"{_HERE}.dezero:DezeroSide",
    "torch": f"{_HERE}.torch:TorchSide",
    "mygrad": f"{_HERE}.mygrad:MyGradSide",
    "autograd": f"{_HERE}.autograd:AutogradSide",
    "micrograd": f"{_HERE}.micrograd:MicrogradSide",
    "jax": f"{_HERE}.jax:JaxSide",
}
REFERENCE, CONTROL = "torch", "numpy"
_CONTROL = f"{_HERE}.control:NumpySide"


def load_backend(spec: str, threads: int = 1) -> Backend:
    """The side of a built-in name, of the control, or of an adapter (``file.py:Class``).

    EngineError where an adapter cannot be used.
    """
    place = _CONTROL if spec == CONTROL else BACKENDS.get(spec)
    if place is None:
        from parity.bench.backends.adapter import AdapterSide
        from parity.engines.load import load_engine  # imports PyTorch

        return AdapterSide(load_engine(spec), spec.rpartition("/")[2])
    module, _, name = place.partition(":")
    side: Backend = getattr(importlib.import_module(module), name)(threads)
    return side


def check_names(specs: list[str]) -> None:
    """UsageError for a name that is not known, or whose package is not installed."""
    for spec in specs:
        if spec not in BACKENDS and ":" not in spec:
            raise UsageError(
                f"--engines {spec!r} is not known: use {', '.join(BACKENDS)}, package.module:Class "
                "or path/to/file.py:Class"
            )
        if spec in BACKENDS and not _found(spec):
            raise UsageError(
                f"--engines {spec}: {spec} is not installed here: "
                "pip install 'dezero-parity[peers]'"
            )


def installed() -> list[str]:
    """The engines that can be measured here, by their names."""
    return [name for name in BACKENDS if _found(name)]


def _found(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # None in sys.modules
        return False
