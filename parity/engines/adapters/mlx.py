"""Adapter of MLX on the CPU, where it has float64 as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, ClassVar

import mlx.core as mx

from parity.engines.adapters.functional import Functional, Tensor
from parity.engines.adapters.libraries import LIBRARIES, refusals

mx.set_default_device(mx.cpu)


class Mlx(Functional):
    """``mlx.core`` and ``mlx.nn`` with ``mx.vjp``. MLX is lazy: ``value`` evaluates."""

    name = "mlx"
    version = metadata.version("mlx")
    quirks = frozenset({"clip-ties-neither"})
    functions: ClassVar[dict[str, Callable[..., Any]]] = LIBRARIES["mlx"].ops()

    def array(self, a: Any) -> Any:
        return mx.array(a, getattr(mx, a.dtype.name))  # without a dtype it would be float32

    def value(self, t: Tensor) -> Any:
        with refusals():
            return super().value(t)

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        with refusals():  # gradients are evaluated where they are added up
            super().backward(t, gradient, **flags)

    def vjp(self, function: Callable[..., Any], arguments: Any, seed: Any) -> Sequence[Any]:
        _value, gradients = mx.vjp(function, list(arguments), [seed])
        return gradients  # type: ignore[no-any-return]
