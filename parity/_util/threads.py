"""How numerical libraries are told their number of threads. Imports none of them."""

from __future__ import annotations

#: Environment variables that the libraries read when they are loaded.
VARIABLES = (
    *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    "VECLIB_MAXIMUM_THREADS",
)
