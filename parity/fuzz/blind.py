"""Where the cases of a shard come from; the plain source: profiles in turn, random bytes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from typing import Protocol

from parity.engines.base import Engine
from parity.fuzz.cases import Case, Reader
from parity.generate import PROFILES
from parity.hunt import ROTATION
from parity.program import Program


class Source(Protocol):
    """Cases for one shard. Whoever iterates runs each program before it asks for the next."""

    #: Cases of this shard that showed behaviour which is new.
    kept: list[Case]

    def cases(self, n: int) -> Iterator[tuple[Case, Program]]:
        """``n`` cases with their programs."""


class Blind:
    """Random bytes for each profile in turn; nothing is kept."""

    def __init__(
        self, engine: Engine, reader: Reader, seed: str, kept: Iterable[Case] = ()
    ) -> None:
        self.kept: list[Case] = []
        self._reader = reader
        self._random = random.Random(seed)

    def cases(self, n: int) -> Iterator[tuple[Case, Program]]:
        for profile in itertools.islice(itertools.cycle(ROTATION), n):
            case = Case(profile, self._random.randbytes(PROFILES[profile].size))
            yield case, self._reader.program(case)
