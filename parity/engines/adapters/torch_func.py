"""Adapter of ``torch.func``: PyTorch's functions under ``torch.func.vjp``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch

from parity.engines.adapters.functional import Functional
from parity.engines.adapters.libraries import torch_like


class TorchFunc(Functional):
    """``torch.func.vjp`` of the functions of PyTorch; it shares no tape with eager PyTorch."""

    name = "torch.func"
    version = torch.__version__.partition("+")[0]
    functions: ClassVar[dict[str, Callable[..., Any]]] = torch_like(torch)

    def array(self, a: Any) -> Any:
        return torch.tensor(a)

    def vjp(self, function: Callable[..., Any], arguments: Any, seed: Any) -> Sequence[Any]:
        _value, backward, *_ = torch.func.vjp(function, *arguments)
        return tuple(map(_stored, backward(seed)))


def _stored(g: Any) -> Any:
    """Return a gradient that NumPy can read: zeros may have no memory, signs may be pending."""
    return torch.zeros_like(g).contiguous() + 0.0 if g._is_zerotensor() else g.resolve_neg()
