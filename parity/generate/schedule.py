"""The order in which profiles take turns, and the stream of programs for a seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parity.engines.runner import AnyEngine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.language.program import Program
from parity.language.table import OPS

#: Profiles take turns; the general one more often.
ROTATION = (
    *("general", "gradients", "zero", "accumulation", "moving", "aliasing", "second-order"),
    *("general", "broadcasting", "dtypes", "curvature", "multi-output", "modes", "clearing"),
    *("general", "functions", "zero", "twins", "moving", "aliasing", "gathering", "errors"),
)


def rotation(engine: AnyEngine) -> tuple[str, ...]:
    """The profiles that take turns: that of equal bits for engines that declare them.

    For engines that have operations without rules, those take every second turn.
    """
    profiles = (*ROTATION, "bits") if engine.bitwise else ROTATION
    if any(OPS[n].torch is not None and not OPS[n].has_rules for n in engine.ops):
        return tuple(name for profile in profiles for name in (profile, "rows"))
    return profiles


def decoders_of(engine: AnyEngine, ops: tuple[str, ...] | None = None) -> list[Decoder]:
    """The decoders of these profiles; ``ops``: the operations to use, all by default."""
    profiles = [PROFILES[name] for name in rotation(engine)]
    if ops is not None:
        ruled = tuple(name for name in ops if OPS[name].has_rules)
        kept = [tuple(n for n in ops if p.ops is None or n in p.ops) for p in profiles]
        profiles = [
            replace(p, ops=k or ops)
            for p, k in zip(profiles, kept, strict=True)
            if len(ruled if not p.rows else set(ops) - set(ruled))
        ]
    return [Decoder.of(profile, engine) for profile in profiles]


def stream(decoders: list[Decoder], seed: int | str) -> Iterator[Program]:
    """The profiles' programs in turn, without end."""
    return (decoder.decode(data) for decoder, data in inputs(decoders, seed))


def inputs(decoders: list[Decoder], seed: int | str) -> Iterator[tuple[Decoder, bytes]]:
    """The bytes of these programs, each with its decoder: some can be left out at no cost."""
    streams = [(d, _source(d, f"{seed}:{i}")) for i, d in enumerate(decoders)]
    return ((d, source.randbytes(d.profile.size)) for d, source in itertools.cycle(streams))


def sweep(decoder: Decoder, seed: Any) -> Iterator[Program]:
    """Programs without end, the same for the same seed, outside Hypothesis."""
    source = _source(decoder, seed)
    while True:
        yield decoder.decode(source.randbytes(decoder.profile.size))


def _source(decoder: Decoder, seed: Any) -> random.Random:
    return random.Random(f"{decoder.profile.name}:{seed}")
