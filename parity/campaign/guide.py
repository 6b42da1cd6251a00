"""The guide of a campaign: random inputs, and mutated copies of inputs that did something new.

What is new is decided by feature coverage and by lines of the engine. Lines are traced only if the
engine runs in this process; for an engine in another process
(``parity.engines.isolation.isolated``) feature coverage decides alone.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence

from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.line_coverage import Lines, lines_of
from parity.campaign.mutate import Mutator
from parity.engines.runner import AnyEngine
from parity.generate.coverage import Cell, reached
from parity.generate.profiles import PROFILES
from parity.generate.schedule import rotation
from parity.language.program import Program

#: The share of inputs that are mutated copies.
SHARE = 0.125
#: A feature: its group and cell in ``parity.generate.coverage``.
Feature = tuple[str, Cell]
#: After ``QUIET`` programs without a new feature only one in ``EVERY`` is examined: that takes a
#: tenth of the time of a program, and new features are rare by then.
QUIET, EVERY = 500, 8


class Novelty:
    """The features that the programs of a run reached, and lines of an engine in this process.

    ``seen``: features that are not new; ``every``: 1 to examine all programs, however long none is
    new.
    """

    def __init__(self, seen: Iterable[Feature], lines: Lines, every: int = EVERY) -> None:
        self.seen = set(seen)
        self.lines = lines
        self.every = every
        self.programs = 0
        # With features from before, few new ones are expected.
        self.quiet = QUIET if self.seen else 0

    def is_new(self, program: Program) -> bool:
        """Whether ``program`` has a feature, or reaches a line, for the first time."""
        self.programs += 1
        before = len(self.seen)
        if self.quiet < QUIET or not self.programs % self.every:
            self.seen.update(reached(program))
            self.quiet = 0 if len(self.seen) > before else self.quiet + 1
        new = len(self.seen) > before
        return self.lines.adds(program, new or self.every == 1) or new


class SeenFeatures:
    """Features and lines of kept inputs, computed once in a process for all its guides.

    Lists of kept inputs grow at their end, so that only the new ones are examined. The result for
    a list depends on that list alone, not on lists before.
    """

    def __init__(self, engine: AnyEngine, reader: Reader) -> None:
        self.engine = engine
        self.reader = reader
        self._clear()

    def _clear(self) -> None:
        self.inputs: list[FuzzInput] = []
        #: Those with a feature or a line that none before them in the list has.
        self.useful: list[FuzzInput] = []
        self.novelty = Novelty((), lines_of(self.engine), every=1)

    def of(self, inputs: Sequence[FuzzInput]) -> tuple[list[FuzzInput], Novelty]:
        """The inputs that are worth mutating, and a novelty that knows the features of all.

        Runs inputs that it has not seen before on the engine, if that is in this process.
        """
        if self.inputs != list(inputs[: len(self.inputs)]):
            self._clear()
        new = inputs[len(self.inputs) :]
        if new:
            self.useful += [one for one in new if self.novelty.is_new(self.reader.program(one))]
            self.inputs += new
        return list(self.useful), Novelty(self.novelty.seen, self.novelty.lines.copy())


class Guide:
    """Draws inputs for one engine; the same seed and kept inputs give the same inputs.

    ``kept``: inputs that earlier guides kept; they are mutated, and not kept again. ``share``: the
    share of mutated copies, once an input is kept. ``seen``: features of kept inputs, shared by the
    guides of a process so that each input is read once.
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
            self.by_profile[one.profile].append(one)

    def inputs(self, n: int) -> Generator[tuple[FuzzInput, Program], None, None]:
        for _ in range(n):
            one = self._next()
            yield one, self.reader.program(one)

    def observe(self, one: FuzzInput, program: Program) -> None:
        """Keep an input if its program, which has run, did something new."""
        if self.novelty.is_new(program) and one not in self.rejected:
            self.kept.append(one)
            self.by_profile[one.profile].append(one)

    def reject(self, one: FuzzInput) -> None:
        """Never keep an input, since copies of one that fails would fail as well."""
        self.rejected.add(one)

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
