"""Adapter of HIPS autograd, which traces NumPy's functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, ClassVar

import autograd.numpy as anp
import autograd.scipy.special as special
import numpy as np
from autograd import make_vjp

from parity.engines.adapters.functional import Functional
from parity.engines.adapters.numpy_like import common_numpy_like, split_like


class Autograd(Functional):
    """``autograd.numpy`` and ``autograd.scipy.special`` with ``autograd.make_vjp``."""

    name = "autograd"
    version = metadata.version("autograd")
    functions: ClassVar[dict[str, Callable[..., Any]]] = {
        **common_numpy_like(anp),
        "sigmoid": special.expit,
        "split": split_like(anp),
        **{name: getattr(anp, name) for name in ("sign", "floor", "outer", "dot")},
        "var": lambda a, *, axis, correction, keepdims: anp.var(
            a, axis=axis, ddof=correction, keepdims=keepdims
        ),
        "norm": anp.linalg.norm,
        "logsumexp": special.logsumexp,
        "pad": lambda a, *, pad_width: anp.pad(a, pad_width, "constant"),
    }

    def array(self, a: Any) -> Any:
        return np.array(a)

    def vjp(self, function: Callable[..., Any], arguments: Any, seed: Any) -> Sequence[Any]:
        backward, _value = make_vjp(function, tuple(range(len(arguments))))(*arguments)
        return backward(seed)  # type: ignore[no-any-return]
