"""Hypothesis strategies for programs."""

from __future__ import annotations

from hypothesis import strategies as st

from parity.generate.decoder import Decoder
from parity.language.program import Program


def programs(decoder: Decoder, several: int = 1) -> st.SearchStrategy[list[Program]]:
    """A Hypothesis strategy for lists of ``several`` programs.

    Drawing one byte string for all costs a fraction of drawing each by itself.
    """
    n = decoder.profile.size

    def decode(data: bytes) -> list[Program]:
        return [decoder.decode(data[i * n : (i + 1) * n]) for i in range(several)]

    return st.binary(min_size=several * n, max_size=several * n).map(decode)
