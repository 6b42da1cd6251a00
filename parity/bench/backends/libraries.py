"""The libraries under measurement, by name; each is imported when its backend is made.

So is all that only some of them need: what a process has imported leaves free memory, which a
measured peak then does not show.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parity._util.errors import UsageError
from parity._util.names import did_you_mean
from parity.bench.backends.base import Backend, TapeBackend
from parity.bench.workload import Array, Shape, Workload


class DezeroBackend(TapeBackend):
    """The engine of this project, in the revision that comes first on ``sys.path``."""

    name = "dezero"

    def __init__(self, threads: int = 1) -> None:
        import dezero
        import dezero.functions

        self.version = getattr(dezero, "__version__", "")
        self.variable, self.tanh = dezero.Variable, dezero.functions.tanh

    def leaf(self, array: Array) -> Any:
        return self.variable(array.copy())

    def backward(self, y: Any, create_graph: bool) -> None:
        y.backward(create_graph=create_graph)

    def array(self, t: Any) -> Array:
        return t.data  # type: ignore[no-any-return]

    def constant(self, array: Array) -> Any:
        return self.variable(array, requires_grad=False)


class TorchBackend(TapeBackend):
    """PyTorch on the CPU, eager: the reference of all ratios."""

    name = "torch"

    def __init__(self, threads: int = 1) -> None:
        import torch

        self.torch, self.tanh = torch, torch.tanh
        self.version = torch.__version__.partition("+")[0]
        torch.set_num_threads(threads)
        # Of a reference cycle, once a process; `clear` breaks it.
        warnings.filterwarnings("ignore", message="Using backward.. with create_graph")

    def leaf(self, array: Array) -> Any:
        return self.torch.tensor(array, requires_grad=True)

    def backward(self, y: Any, create_graph: bool) -> None:
        y.backward(self.torch.ones_like(y), create_graph=create_graph)

    def array(self, t: Any) -> Array:
        return t.detach().numpy()  # type: ignore[no-any-return]

    def constant(self, array: Array) -> Any:
        return self.torch.from_numpy(array)

    def dtype_of(self, t: Any) -> str:
        return str(t.dtype).removeprefix("torch.")


class MyGradBackend(TapeBackend):
    """``mygrad.Tensor`` with its own default settings; a gradient cannot be differentiated."""

    name = "mygrad"
    second_order = False

    def __init__(self, threads: int = 1) -> None:
        import mygrad

        self.version, self.tensor, self.tanh = mygrad.__version__, mygrad.tensor, mygrad.tanh

    def leaf(self, array: Array) -> Any:
        return self.tensor(array)

    def constant(self, array: Array) -> Any:
        return self.tensor(array, constant=True, copy=False)


class AutogradBackend(Backend):
    """``autograd.numpy`` with ``autograd.make_vjp``; it transforms functions."""

    name = "autograd"

    def __init__(self, threads: int = 1) -> None:
        from importlib import metadata

        import autograd.numpy

        self.make_vjp, self.numpy = autograd.make_vjp, autograd.numpy
        self.version, self.tanh = metadata.version("autograd"), autograd.numpy.tanh

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Any], order: int
    ) -> Sequence[Any]:
        if order > 1:
            return self.gradients(lambda x: self.gradients(function, (x,), order - 1)[0], arrays, 1)
        pull, y = self.make_vjp(function, tuple(range(len(arrays))))(*arrays)
        return pull(self.numpy.ones_like(y))  # type: ignore[no-any-return]

    def sum(self, x: Any) -> Any:
        return self.numpy.sum(x)


class MicrogradBackend(TapeBackend):
    """``micrograd.engine.Value``, scalars of Python floats, with the default recursion limit."""

    name = "micrograd"
    dtypes = ("float64",)
    max_ndim = 0
    second_order = False
    ops = frozenset({"add", "mul", "sub"})

    def __init__(self, threads: int = 1) -> None:
        from importlib import metadata

        from micrograd.engine import Value

        self.version, self.value = metadata.version("micrograd"), Value

    def leaf(self, array: Array) -> Any:
        return self.value(float(array))

    def array(self, t: Any) -> Array:
        return np.array(float(t))


class JaxBackend(Backend):
    """``jax.vjp`` without ``jax.jit``, on the CPU; blocks until the result is computed."""

    name = "jax"

    def __init__(self, threads: int = 1) -> None:
        import jax

        # Before the first array, since later the platform cannot be changed.
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)
        self.jax, self.version, self.tanh = jax, jax.__version__, jax.numpy.tanh

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Any], order: int
    ) -> Sequence[Any]:
        found = self._pulled(function, [self.jax.numpy.array(array) for array in arrays], order)
        return self.jax.block_until_ready(found)  # type: ignore[no-any-return]

    def _pulled(self, function: Callable[..., Any], at: Sequence[Any], order: int) -> Sequence[Any]:
        if order > 1:
            return self._pulled(lambda x: self._pulled(function, (x,), order - 1)[0], at, 1)
        y, pull = self.jax.vjp(function, *at)
        return pull(self.jax.numpy.ones_like(y))  # type: ignore[no-any-return]

    def constant(self, array: Array) -> Any:
        return self.jax.numpy.asarray(array)


class NumpyBackend(Backend):
    """The baseline: hand-written gradients (``Workload.baseline``), no engine."""

    name = "numpy"
    version = np.__version__
    is_baseline = True

    def run(self, workload: Workload, leaves: Sequence[Array], steps: int) -> Sequence[Any]:
        assert workload.baseline is not None, "unsupported() says so"
        return workload.baseline(steps, *leaves)

    def unsupported(self, workload: Workload, shape: Shape, dtype: str) -> str | None:
        return None if workload.baseline is not None else "no NumPy baseline"


#: Engines with a built-in name, in the order of tables.
BACKENDS: dict[str, type[Backend]] = {
    "dezero": DezeroBackend,
    "torch": TorchBackend,
    "mygrad": MyGradBackend,
    "autograd": AutogradBackend,
    "micrograd": MicrogradBackend,
    "jax": JaxBackend,
}
REFERENCE, BASELINE = "torch", "numpy"


def load_backend(spec: str, threads: int = 1) -> Backend:
    """Load a backend by a built-in name, ``numpy``, or an adapter (``path/to/file.py:Class``).

    Raises EngineError if an adapter cannot be used.
    """
    backends: dict[str, type[Backend]] = {**BACKENDS, BASELINE: NumpyBackend}
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
                f"--engines {spec!r} is not known: {did_you_mean(spec, BACKENDS)}use "
                f"{', '.join(BACKENDS)}, package.module:Class or path/to/file.py:Class"
            )
        if spec in BACKENDS and not _found(spec):
            raise UsageError(
                f"--engines {spec}: {spec} is not installed here: "
                "pip install 'dezero-parity[peers]'"
            )


def installed() -> list[str]:
    return [name for name in BACKENDS if _found(name)]


def _found(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # None in sys.modules
        return False
