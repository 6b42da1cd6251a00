"""``SharedPrograms``: programs that an engine and the engine of the defects both support."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parity.diagnose.defects.engine import TapeEngine
from parity.engines.base import CONSTANTS
from parity.engines.runner import AnyEngine, as_runner
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language import program as pr

_PROFILES = (
    *("general", "gradients", "accumulation", "clearing", "aliasing", "broadcasting"),
    *("dtypes", "multi-output", "modes", "functions", "second-order"),
)


class SharedPrograms:
    """Programs with operations, dtypes and abilities that the engine and the defects share."""

    def __init__(self, engine: AnyEngine) -> None:
        self.engine = as_runner(engine)
        self.base = TapeEngine()
        self.capabilities = self.engine.capabilities & as_runner(self.base).capabilities
        self.ops = tuple(name for name in self.base.ops if name in engine.ops)
        self.dtypes = tuple(d for d in engine.dtypes if d in self.base.dtypes)

    def supports(self, program: pr.Program) -> bool:
        return self.engine.supports(program) and not self.unsupported(program)

    def unsupported(self, program: pr.Program) -> tuple[str, ...]:
        """Return operations, dtypes and abilities of a program that one side does not have."""
        used = {s.op for s in program.statements if isinstance(s, pr.Apply)}
        used |= {leaf.dtype for leaf in program.leaves} | _abilities_needed(program)
        return tuple(sorted(used - {*self.ops, *self.dtypes, *self.capabilities}))

    def generated(self, seed: Any) -> Iterator[pr.Program]:
        """Yield generated programs, of each profile in turn."""
        streams = []
        for name in _PROFILES if self.ops and self.dtypes else ():
            profile = PROFILES[name]
            ops = tuple(n for n in self.ops if profile.ops is None or n in profile.ops)
            decoder = Decoder.of(replace(profile, ops=ops or self.ops), self.engine)
            decoder = replace(decoder, dtypes=self.dtypes)
            streams.append(itertools.islice(sweep(decoder, f"diagnose:{seed}"), 100))
        interleaved = itertools.chain.from_iterable(zip(*streams, strict=False))
        return filter(self.supports, interleaved)


_ABILITY_OF_STATEMENT: dict[type[Any], str] = {
    pr.Clear: "clear_grad",
    pr.Zero: "zero_grad",
    pr.ChangeGrad: "buffer",
    pr.TakeGrad: "grad_tensor",
    pr.Detach: "detach",
}


def _abilities_needed(program: pr.Program) -> set[str]:
    """Return the abilities that a program needs (``parity.engines.runner.Runner``)."""
    needs = {_ABILITY_OF_STATEMENT.get(type(s), "") for s in program.statements} - {""}
    if not all(leaf.requires_grad for leaf in program.leaves):
        needs.add(CONSTANTS)
    if any(getattr(s, "no_grad", False) for s in program.statements):
        needs.add("no_grad")
    if any(getattr(s, "create_graph", False) for s in program.statements):
        needs.add("grad_tensor")
    return needs
