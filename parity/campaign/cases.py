"""Inputs of the fuzzer: bytes, and the profile by which they are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from parity._util.decode import one_of
from parity.engines.runner import AnyEngine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import rotation
from parity.language.program import Program


@dataclass(frozen=True, slots=True)
class FuzzInput:
    """The bytes of one program. Another profile decodes the same bytes to another program."""

    profile: Annotated[str, one_of(PROFILES)]
    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) != PROFILES[self.profile].size:
            raise ValueError(f"{self.profile!r} takes {PROFILES[self.profile].size} bytes")


class Reader:
    """Decodes inputs for one engine, with the decoders of all profiles that campaigns use."""

    def __init__(self, engine: AnyEngine) -> None:
        names = dict.fromkeys(rotation(engine))
        self.decoders = {name: Decoder.of(PROFILES[name], engine) for name in names}

    def program(self, one: FuzzInput) -> Program:
        return self.decoders[one.profile].decode(one.data)
