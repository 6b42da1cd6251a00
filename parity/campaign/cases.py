"""What a sweep runs: bytes, and the profile that says how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from parity._util.decode import decode, encode, one_of
from parity.engines.runner import AnyEngine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import rotation
from parity.language.program import Program


@dataclass(frozen=True, slots=True)
class FuzzInput:
    """Bytes of one program; the same bytes mean another program to another profile."""

    profile: Annotated[str, one_of(PROFILES)]
    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) != PROFILES[self.profile].size:
            raise ValueError(f"{self.profile!r} takes {PROFILES[self.profile].size} bytes")

    def to_json(self) -> dict[str, Any]:
        """Plain data: bytes as hexadecimal digits."""
        return encode(self)  # type: ignore[no-any-return]

    @staticmethod
    def from_json(data: object) -> FuzzInput:
        """The inverse of ``to_json``. Raises FormatError where this is anything else."""
        return decode(FuzzInput, data)


class Reader:
    """Reads cases for one engine: the decoders of all profiles that campaigns use."""

    def __init__(self, engine: AnyEngine) -> None:
        names = dict.fromkeys(rotation(engine))
        self.decoders = {name: Decoder.of(PROFILES[name], engine) for name in names}

    def program(self, case: FuzzInput) -> Program:
        """The program of a case."""
        return self.decoders[case.profile].decode(case.data)
