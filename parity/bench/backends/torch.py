"""PyTorch under measurement: the reference of all ratios."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from parity.bench.backends.base import TapeBackend


class TorchBackend(TapeBackend):
    """PyTorch on the CPU, eager."""

    name = "torch"
    version = torch.__version__.partition("+")[0]

    def __init__(self, threads: int = 1) -> None:
        torch.set_num_threads(threads)
        # Of a reference cycle, once a process; `clear` breaks it.
        warnings.filterwarnings("ignore", message="Using backward.. with create_graph")

    def leaf(self, array: Any) -> Any:
        return torch.tensor(array, requires_grad=True)

    def backward(self, y: Any, create_graph: bool) -> None:
        y.backward(torch.ones_like(y), create_graph=create_graph)

    def array(self, t: Any) -> Any:
        return t.detach().numpy()

    def constant(self, array: Any) -> Any:
        return torch.from_numpy(array)

    def dtype_of(self, t: Any) -> str:
        return str(t.dtype).removeprefix("torch.")

    def tanh(self, x: Any) -> Any:
        return torch.tanh(x)
