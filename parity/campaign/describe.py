"""Formats the two results of a finding."""

from __future__ import annotations

from typing import Any

import numpy as np


def distinguishable_texts(a: Any, b: Any) -> tuple[str, str]:
    """Format two values so that the texts differ: by more digits, then by dtype and shape."""
    for digits in None, "unique":
        with np.printoptions() if digits is None else np.printoptions(floatmode="unique"):
            texts = str(a), str(b)
        if texts[0] != texts[1]:
            return texts
    return _with_form(a), _with_form(b)


def _with_form(value: Any) -> str:
    return f"{value} ({value.dtype} {value.shape})" if isinstance(value, np.ndarray) else str(value)
