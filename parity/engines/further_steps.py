"""Steps of a run for blocks, operations in place and functions of the user."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from parity.engines.base import Engine, Unsupported, abilities
from parity.language import program as pr
from parity.language.in_place import meaning
from parity.language.table import keywords
from parity.language.user import USER_FUNCTIONS


class LeavesBlock(Exception):  # noqa: N818 - raised by a program on purpose, and caught
    """The exception with which a program leaves a block."""


class FurtherSteps:
    """The methods of a run for statements of ``blocks``, ``in_place`` and ``user``."""

    engine: Engine
    program: pr.Program
    values: list[Any]
    leaves: list[Any]
    observe: Callable[..., None]
    add: Callable[[Any], None]

    def begin(self) -> None:
        """Prepare what these statements need; most programs have none of them."""
        kinds = {type(s) for s in self.program.statements}
        self.changes_modes = bool(kinds & {pr.Enter, pr.InPlace, pr.DetachInPlace})
        self.changes_values = pr.InPlace in kinds
        self.able = abilities(self.engine) if self.changes_modes else frozenset[str]()
        self.blocks: list[tuple[str, Any]] = []
        self.functions: dict[str, Callable[..., Any]] = {}
        self.number_of_leaves = len(self.program.leaves)
        #: The numbers of values that are gradients, or depend on some: whether those require a
        #: gradient is no question of modes (docs/semantics.md 7.1).
        self.of_gradients = _of_gradients(self.program) if self.changes_modes else frozenset()

    @contextmanager
    def blocks_closed(self) -> Iterator[None]:
        """Leave what is open in the end; a mode that an engine did not restore ends here as well.

        Else all later programs would differ, and not only the one that shows the fault.
        """
        if not self.changes_modes:
            yield
            return
        outer = self.engine.enable_grad() if "enable_grad" in self.able else None
        if outer is not None:
            outer.__enter__()
        try:
            yield
        finally:
            for _, context in reversed(self.blocks):
                with suppress(Exception):
                    context.__exit__(None, None, None)
            if outer is not None:
                with suppress(Exception):
                    outer.__exit__(None, None, None)

    @property
    def recording(self) -> bool:
        """Whether the innermost open block, if there is one, records."""
        return not self.blocks or self.blocks[-1][0] == "enable_grad"

    def enter(self, s: pr.Enter) -> None:
        context = getattr(self.engine, s.mode)()
        context.__enter__()
        self.blocks.append((s.mode, context))

    def leave(self, s: pr.Leave) -> None:
        _, context = self.blocks.pop()
        if not s.raises:
            context.__exit__(None, None, None)
            return
        try:
            raise LeavesBlock("raised by the program")
        except LeavesBlock as error:
            context.__exit__(type(error), error, error.__traceback__)

    def observe_changed(self) -> None:
        """Observe the values that are left, where some were changed in place."""
        for i in range(self.number_of_leaves, len(self.values) if self.changes_values else 0):
            if self.values[i] is not None:
                self.observe("value", i, self.engine.value(self.values[i]))

    def observe_modes(self) -> None:
        """Observe which values that are left require a gradient, where modes may have changed."""
        able = "requires_grad" in self.able
        for i in range(self.number_of_leaves, len(self.values) if self.changes_modes else 0):
            t = self.values[i]
            if t is not None and i not in self.of_gradients:
                on = bool(self.engine.requires_grad(t)) if able else None
                self.observe("requires_grad", i, None if on is None else np.array(on))

    def in_place(self, s: pr.InPlace) -> None:
        values = [self.values[i] for i in s.operands()]
        if self.engine.follows_meanings:
            self.values[s.target] = self._by_meaning(s, values)
        elif s.op not in self.engine.inplace:
            raise Unsupported(f"{s.op} in place")
        else:
            result = self.engine.inplace[s.op](*values, **dict(s.attrs))
            self.values[s.target] = values[0] if result is None else result
        self.observe("value", s.target, self.engine.value(self.values[s.target]))

    def _by_meaning(self, s: pr.InPlace, values: list[Any]) -> Any:
        """Return a new tensor, which stands for the target from now on.

        Without recording, gradients reach what the target was before as if nothing happened.
        """
        engine, target = self.engine, values[0]
        shape = self.program.infos[s.target].shape
        if self.recording:
            if s.target < self.number_of_leaves and self.program.leaves[s.target].requires_grad:
                raise RuntimeError("a leaf that requires a gradient is changed in place")
            return meaning(self._apply, s, shape, values)
        new = meaning(self._apply, s, shape, values)
        difference = self._apply("sub", new, target)
        with engine.enable_grad():
            return self._apply("add", target, engine.detach(difference))

    def _apply(self, op: str, *values: Any, **attrs: Any) -> Any:
        if op == "detach":
            return self.engine.detach(*values)
        return self.engine.ops[op](*values, **keywords(op, tuple(sorted(attrs.items()))))

    def detach_(self, s: pr.DetachInPlace) -> None:
        if self.engine.follows_meanings:
            self.values[s.value] = self.engine.detach(self.values[s.value])
        else:
            self.engine.detach_(self.values[s.value])

    def user(self, s: pr.User) -> None:
        inputs = [self.values[i] for i in s.inputs]
        function = USER_FUNCTIONS[s.function]
        if self.engine.follows_meanings:
            results = function.meaning(self._apply, *inputs)
        else:
            if s.function not in self.functions:
                self.functions[s.function] = self.engine.function(
                    compiled(function.forward), compiled(function.backward)
                )
            results = self.functions[s.function](*inputs)
        for t in results if isinstance(results, (tuple, list)) else (results,):
            self.add(t)


def _of_gradients(program: pr.Program) -> frozenset[int]:
    found: set[int] = set()
    for s, defined in zip(program.statements, program.defined, strict=True):
        if isinstance(s, (pr.TakeGrad, pr.Grad)) or not found.isdisjoint(s.operands()):
            found |= {*defined, *s.changes()}
    return frozenset(found)


@functools.cache
def compiled(source: str) -> Callable[..., Any]:
    """Return a function of the closed table of functions."""
    function: Callable[..., Any] = eval(source, {})
    return function
