"""``TorchWhole``: whole programs as functions of PyTorch, which run as they are.

What compiles or transforms such functions is a subclass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from parity.engines.adapters.torch import Functions
from parity.engines.whole.base import Seed, WholeEngine
from parity.engines.whole.torch_forms import FORMS
from parity.language import program as pr
from parity.language.table import OPS


def _function(name: str) -> Callable[..., Any]:
    """Return PyTorch's function as plain code, which the compiler can trace."""
    OPS[name].function  # noqa: B018 - refuses what does more than compute
    scope = {"torch": torch, "nan": float("nan"), "inf": float("inf")}
    found: Callable[..., Any] = eval(OPS[name].source, scope)
    return found


class TorchWhole(WholeEngine):
    """A function of PyTorch, then a backward through what it returns."""

    name = "torch.functions"
    version = torch.__version__.partition("+")[0]
    forms = FORMS

    def __init__(self) -> None:
        super().__init__()
        torch.set_num_threads(1)
        self.ops: Mapping[str, Any] = Functions(_function)  # type: ignore[misc]

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def arguments(self, leaves: Sequence[pr.Leaf], call: int) -> list[Any]:
        """Leaves of earlier calls have other strides: every second element, or transposed."""
        made = (_LAYOUTS[call % len(_LAYOUTS)](torch.tensor(leaf.array())) for leaf in leaves)
        return [t.requires_grad_(leaf.requires_grad) for t, leaf in zip(made, leaves, strict=True)]

    def another(self, argument: Any) -> Any:
        return argument.detach().clone().requires_grad_(argument.requires_grad)

    def differentiate(
        self, compiled: Callable[..., Any], arguments: Sequence[Any], seeds: Sequence[Seed]
    ) -> tuple[Any, list[Any], dict[int, Exception]]:
        values = compiled(*arguments)
        roots, given = [], []
        failed: dict[int, Exception] = {}
        for number, seed in enumerate(seeds):
            root = values[seed.program][seed.output]
            gradient = None if seed.gradient is None else torch.tensor(seed.gradient)
            try:
                roots_and_seeds = _checked(root, gradient)
            except RuntimeError as error:
                failed[number] = error
                continue
            roots.append(roots_and_seeds[0])
            given.append(roots_and_seeds[1])
        wanted = [k for k, x in enumerate(arguments) if x.requires_grad]
        gradients: list[Any] = [None] * len(arguments)
        if roots and wanted:
            inputs = [arguments[k] for k in wanted]
            distinct = list({id(x): x for x in inputs}.values())
            found = torch.autograd.grad(roots, distinct, given, allow_unused=True)
            by_id = {id(x): g for x, g in zip(distinct, found, strict=True)}
            for k in wanted:
                gradients[k] = by_id[id(arguments[k])]
        return values, gradients, failed

    def to_numpy(self, value: Any) -> Any:
        return value.detach().numpy(force=value._is_zerotensor() or value.is_neg())

    def no_grad(self) -> AbstractContextManager[Any]:
        return torch.no_grad()

    def detach(self, t: Any) -> Any:
        return t.detach()

    def helpers(self) -> dict[str, Callable[..., Any]]:
        return {**super().helpers(), "no_grad": torch.no_grad, "detach": torch.Tensor.detach}


def _checked(root: Any, gradient: Any) -> tuple[Any, Any]:
    """Return a root and its gradient. Raises RuntimeError where a backward from it would."""
    if not root.requires_grad:
        raise RuntimeError("the root does not require a gradient")
    if gradient is None:
        if root.numel() != 1:
            raise RuntimeError("a gradient can be implied only for one element")
        return root, torch.ones_like(root)
    if gradient.shape != root.shape:
        raise RuntimeError(f"a gradient of shape {tuple(gradient.shape)}")
    return root, gradient


def _strided(t: Any) -> Any:
    """Every second element of a larger tensor."""
    if t.ndim == 0:
        return t
    wide = torch.zeros(*t.shape[:-1], 2 * t.shape[-1], dtype=t.dtype)
    wide[..., ::2] = t
    return wide[..., ::2]


def _transposed(t: Any) -> Any:
    return t.transpose(0, -1).contiguous().transpose(0, -1) if t.ndim > 1 else t


#: How the leaves of a call lie in memory, by its distance from the one that is observed.
_LAYOUTS: tuple[Callable[[Any], Any], ...] = (lambda t: t, _strided, _transposed)
