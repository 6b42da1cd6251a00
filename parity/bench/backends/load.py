"""Backends by their names on the command line."""

from __future__ import annotations

import importlib
import importlib.util

from parity._util.errors import UsageError
from parity.bench.backends.base import Backend

_HERE = "parity.bench.backends"
#: Engines with a built-in name, in the order of tables.
BACKENDS = {
    "dezero": f"{_HERE}.dezero:DezeroBackend",
    "torch": f"{_HERE}.torch:TorchBackend",
    "mygrad": f"{_HERE}.mygrad:MyGradBackend",
    "autograd": f"{_HERE}.autograd:AutogradBackend",
    "micrograd": f"{_HERE}.micrograd:MicrogradBackend",
    "jax": f"{_HERE}.jax:JaxBackend",
}
REFERENCE, BASELINE = "torch", "numpy"
_BASELINE = f"{_HERE}.numpy:NumpyBackend"


def load_backend(spec: str, threads: int = 1) -> Backend:
    """Load a backend.

    Parameters
    ----------
    spec
        A built-in name, ``numpy`` for the baseline, or an adapter (``path/to/file.py:Class``).
    threads
        Number of threads of the library.

    Raises
    ------
    EngineError
        If an adapter cannot be used.
    """
    path = _BASELINE if spec == BASELINE else BACKENDS.get(spec)
    if path is None:
        from parity.bench.backends.adapter import AdapterBackend
        from parity.engines.open import open_engines  # imports PyTorch

        runner, _ = open_engines(spec, isolate=False)
        assert runner.local_engine is not None
        return AdapterBackend(runner.local_engine, spec.rpartition("/")[2])
    module, _, name = path.partition(":")
    backend: Backend = getattr(importlib.import_module(module), name)(threads)
    return backend


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
