"""Compilers that are wrong on purpose: what they remember of a first call spoils a later one.

They need no compiler: the function runs as it is, and only what is remembered is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from parity.engines.adapters.torch_whole import TorchWhole
from parity.engines.whole.base import Seed


class WholeDefect(TorchWhole):
    """Base class: ``description`` says what is wrong."""

    description: ClassVar[str]


class GuardMissed(WholeDefect):
    """A function for arguments that differ is used where two of them are the same object."""

    name = "guard-missed"
    description = "what was compiled for different arguments runs where two are the same object"

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        first: list[list[int]] = []

        def specialised(*arguments: Any) -> Any:
            same = [next(k for k, y in enumerate(arguments) if y is x) for x in arguments]
            first.append(same)
            if same != first[0]:  # the guard is not checked: the second one gets no gradient
                arguments = tuple(
                    x if k == place else x.detach()
                    for k, (x, place) in enumerate(zip(arguments, same, strict=True))
                )
            return function(*arguments)

        return specialised


class RecompileStaleConstant(WholeDefect):
    """An argument without gradient is a constant of the compiled function, for ever."""

    name = "recompile-stale-constant"
    description = "the numbers of an argument without gradient are those of the first call"

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        constants: dict[int, Any] = {}

        def folded(*arguments: Any) -> Any:
            for k, x in enumerate(arguments):
                if not x.requires_grad:
                    constants.setdefault(k, x.clone())
            return function(
                *(x if x.requires_grad else constants[k] for k, x in enumerate(arguments))
            )

        return folded


class StaticGradientBuffer(WholeDefect):
    """Gradients of a later call are written into the arrays that the first one returned."""

    name = "static-gradient-buffer"
    description = "a later backward writes into the gradients that an earlier one returned"

    def begin(self) -> None:
        self._buffers: dict[int, Any] = {}

    def differentiate(
        self, compiled: Callable[..., Any], arguments: Sequence[Any], seeds: Sequence[Seed]
    ) -> tuple[Any, list[Any], dict[int, Exception]]:
        values, gradients, failed = super().differentiate(compiled, arguments, seeds)
        for k, g in enumerate(gradients):
            if g is not None and not g._is_zerotensor():
                gradients[k] = self._buffers.setdefault(k, g.clone()).copy_(g)
        return values, gradients, failed


#: By their names.
WHOLE_DEFECTS: dict[str, type[WholeDefect]] = {
    cls.name: cls for cls in (GuardMissed, RecompileStaleConstant, StaticGradientBuffer)
}
