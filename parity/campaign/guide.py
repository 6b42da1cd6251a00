"""Cases for a campaign: blind ones, and changed copies of those that did something new.

What is new is in ``parity.campaign.novelty``: cells of exposure and lines of the engine. Lines
are seen only where the engine runs in this process; of one in another process
(``parity.engines.isolation.isolated``) the cells count alone.
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

#: The share of cases that are changed copies.
SHARE = 0.125


class Guide:
    """Draws cases for one engine; the same seed and kept cases give the same cases.

    ``kept``: cases that earlier guides kept, to change and not to keep again; ``share``: of
    cases that are changed copies, as soon as one is kept; ``learnt``: what kept cases do, which
    the guides of a process share so that each case is read once.
    """

    def __init__(
        self,
        engine: AnyEngine,
        reader: Reader,
        seed: str,
        kept: Iterable[FuzzInput] = (),
        *,
        share: float = SHARE,
        learnt: SeenFeatures | None = None,
    ) -> None:
        self.reader = reader
        self.share = share
        self.source = random.Random(f"guide:{seed}")
        self.mutators = {n: Mutator(d, self.source) for n, d in reader.decoders.items()}
        names = rotation(engine)
        self.blind = _blind(names, seed)
        self.turns = itertools.cycle(names)
        #: The cases that this guide kept, in order.
        self.kept: list[FuzzInput] = []
        self.by_profile: dict[str, list[FuzzInput]] = defaultdict(list)
        self.rejected: set[FuzzInput] = set()
        useful, self.behaviour = (learnt or SeenFeatures(engine, reader)).of(tuple(kept))
        for case in useful:
            self._add(case)

    def cases(self, n: int) -> Generator[tuple[FuzzInput, Program], None, None]:
        """``n`` cases with their programs."""
        for _ in range(n):
            case = self._next()
            yield case, self.reader.program(case)

    def ran(self, case: FuzzInput, program: Program) -> None:
        """Keep a case if its program, which ran, did something new."""
        if self.behaviour.is_new(program) and case not in self.rejected:
            self.kept.append(case)
            self._add(case)

    def reject(self, case: FuzzInput) -> None:
        """Never keep a case: copies of one that fails would fail again and again."""
        self.rejected.add(case)

    def _add(self, case: FuzzInput) -> None:
        self.by_profile[case.profile].append(case)

    def _next(self) -> FuzzInput:
        if self.source.random() < self.share:
            # In turn here as well: some profiles keep few cases, and are there for a reason.
            profile = next(self.turns)
            kept = self.by_profile[profile]
            if kept:
                return self.mutators[profile].mutated(self.source.choice(kept), kept)
        return next(self.blind)


def _blind(names: tuple[str, ...], seed: str) -> Iterator[FuzzInput]:
    """The cases of ``parity.generate.schedule.stream``: the profiles in turn, without end."""
    sources = [random.Random(f"{name}:{seed}:{i}") for i, name in enumerate(names)]
    for name, source in itertools.cycle(zip(names, sources, strict=True)):
        yield FuzzInput(name, source.randbytes(PROFILES[name].size))
