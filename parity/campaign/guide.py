"""The guide of a campaign: random inputs, and mutated copies of inputs that did something new.

``parity.campaign.novelty`` decides what is new, by feature coverage and by lines of the engine.
Lines are traced only if the engine runs in this process; for an engine in another process
(``parity.engines.isolation.isolated``) feature coverage decides alone.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator

from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.mutate import Mutator
from parity.campaign.novelty import SeenFeatures
from parity.engines.runner import AnyEngine
from parity.generate.profiles import PROFILES
from parity.generate.schedule import rotation
from parity.language.program import Program

#: The share of inputs that are mutated copies.
SHARE = 0.125


class Guide:
    """Draws inputs for one engine; the same seed and kept inputs give the same inputs.

    Parameters
    ----------
    engine, reader
        The engine under test, and its reader of inputs.
    seed
        Of all random choices.
    kept
        Inputs that earlier guides kept. They are mutated, and not kept again.
    share
        The share of inputs that are mutated copies, once one is kept.
    seen
        Features of kept inputs, shared by the guides of a process so that each input is read once.
    """

    def __init__(
        self,
        engine: AnyEngine,
        reader: Reader,
        seed: str,
        kept: Iterable[FuzzInput] = (),
        *,
        share: float = SHARE,
        seen: SeenFeatures | None = None,
    ) -> None:
        self.reader = reader
        self.share = share
        self.source = random.Random(f"guide:{seed}")
        self.mutators = {n: Mutator(d, self.source) for n, d in reader.decoders.items()}
        names = rotation(engine)
        self.random_inputs = _random_inputs(names, seed)
        self.turns = itertools.cycle(names)
        #: The inputs that this guide kept, in order.
        self.kept: list[FuzzInput] = []
        self.by_profile: dict[str, list[FuzzInput]] = defaultdict(list)
        self.rejected: set[FuzzInput] = set()
        useful, self.novelty = (seen or SeenFeatures(engine, reader)).of(tuple(kept))
        for one in useful:
            self._add(one)

    def inputs(self, n: int) -> Generator[tuple[FuzzInput, Program], None, None]:
        """``n`` inputs with their programs."""
        for _ in range(n):
            one = self._next()
            yield one, self.reader.program(one)

    def observe(self, one: FuzzInput, program: Program) -> None:
        """Keep an input if its program, which has run, did something new."""
        if self.novelty.is_new(program) and one not in self.rejected:
            self.kept.append(one)
            self._add(one)

    def reject(self, one: FuzzInput) -> None:
        """Never keep an input, since copies of one that fails would fail as well."""
        self.rejected.add(one)

    def _add(self, one: FuzzInput) -> None:
        self.by_profile[one.profile].append(one)

    def _next(self) -> FuzzInput:
        if self.source.random() < self.share:
            # Profiles take turns here as well, since some of them keep few inputs.
            profile = next(self.turns)
            kept = self.by_profile[profile]
            if kept:
                return self.mutators[profile].mutated(self.source.choice(kept), kept)
        return next(self.random_inputs)


def _random_inputs(names: tuple[str, ...], seed: str) -> Iterator[FuzzInput]:
    """The inputs of ``parity.generate.schedule.stream``: the profiles in turn, without end."""
    sources = [random.Random(f"{name}:{seed}:{i}") for i, name in enumerate(names)]
    for name, source in itertools.cycle(zip(names, sources, strict=True)):
        yield FuzzInput(name, source.randbytes(PROFILES[name].size))
