"""Backends by their names on the command line."""

from __future__ import annotations

import importlib.util

from parity._util.errors import UsageError
from parity.bench.backends import libraries
from parity.bench.backends.base import Backend

#: Engines with a built-in name, in the order of tables.
BACKENDS: dict[str, type[Backend]] = {
    "dezero": libraries.DezeroBackend,
    "torch": libraries.TorchBackend,
    "mygrad": libraries.MyGradBackend,
    "autograd": libraries.AutogradBackend,
    "micrograd": libraries.MicrogradBackend,
    "jax": libraries.JaxBackend,
}
REFERENCE, BASELINE = "torch", "numpy"


def load_backend(spec: str, threads: int = 1) -> Backend:
    """Load a backend by a built-in name, ``numpy``, or an adapter (``path/to/file.py:Class``).

    Raises EngineError if an adapter cannot be used.
    """
    backends: dict[str, type[Backend]] = {**BACKENDS, BASELINE: libraries.NumpyBackend}
    if spec in backends:
        return backends[spec](threads)
    from parity.bench.backends.adapter import AdapterBackend
    from parity.engines.open import open_engines  # imports PyTorch

    runner, _ = open_engines(spec, isolate=False)
    assert runner.local_engine is not None
    return AdapterBackend(runner.local_engine, spec.rpartition("/")[2])


def check_names(specs: list[str]) -> None:
    """Raise UsageError for a name that is unknown or whose package is not installed."""
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
    """The names of the engines that are installed."""
    return [name for name in BACKENDS if _found(name)]


def _found(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # None in sys.modules
        return False
