"""NumPy by hand: the control without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from parity.bench.backends.base import Backend


class NumpySide(Backend):
    """Workloads with gradients derived by hand (``parity/bench/numpy_baseline.py``)."""

    name = "numpy"
    version = np.__version__
    control = True

    def run(self, workload: Any, leaves: Sequence[Any], steps: int) -> Sequence[Any]:
        assert workload.control is not None, "cannot() tells"
        return workload.control(steps, *leaves)  # type: ignore[no-any-return]

    def array(self, t: Any) -> Any:
        return np.asarray(t)

    def cannot(self, workload: Any, shape: Any, dtype: str) -> str | None:
        return None if workload.control is not None else "no gradient by hand"
