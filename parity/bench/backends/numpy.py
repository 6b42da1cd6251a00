"""The NumPy baseline: hand-written gradients without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from parity.bench.backends.base import Backend


class NumpyBackend(Backend):
    """Workloads with hand-written gradients (``parity/bench/numpy_baseline.py``)."""

    name = "numpy"
    version = np.__version__
    is_baseline = True

    def run(self, workload: Any, leaves: Sequence[Any], steps: int) -> Sequence[Any]:
        assert workload.baseline is not None, "unsupported() says so"
        return workload.baseline(steps, *leaves)  # type: ignore[no-any-return]

    def array(self, t: Any) -> Any:
        return np.asarray(t)

    def unsupported(self, workload: Any, shape: Any, dtype: str) -> str | None:
        return None if workload.baseline is not None else "no NumPy baseline"
