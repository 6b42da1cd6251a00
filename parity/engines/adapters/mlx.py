"""Adapter of MLX on the CPU, where it has float64 as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, ClassVar

import mlx.core as mx

from parity.engines.adapters.functional import Functional
from parity.engines.adapters.libraries import LIBRARIES
from parity.engines.base import Unsupported

mx.set_default_device(mx.cpu)


class Mlx(Functional):
    """``mlx.core`` and ``mlx.nn`` with ``mx.vjp``. MLX is lazy: each result is evaluated."""

    name = "mlx"
    version = version("mlx")
    functions: ClassVar[dict[str, Callable[..., Any]]] = LIBRARIES["mlx"].ops()

    def array(self, a: Any) -> Any:
        return mx.array(a, getattr(mx, a.dtype.name))  # without a dtype it would be float32

    def vjp(self, function: Callable[..., Any], arguments: Any, seed: Any) -> Sequence[Any]:
        try:
            _value, gradients = mx.vjp(function, list(arguments), [seed])
        except ValueError as error:
            if "ot implemented" not in str(error):
                raise
            raise Unsupported(str(error)) from None
        mx.eval(gradients)
        return gradients  # type: ignore[no-any-return]
