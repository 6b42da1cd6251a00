"""What a sweep runs: bytes, and the profile that says how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parity.engines.runner import AnyEngine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import rotation
from parity.language.program import Program


@dataclass(frozen=True, slots=True)
class Case:
    """Bytes of one program; the same bytes mean another program to another profile."""

    profile: str
    data: bytes

    def to_json(self) -> dict[str, Any]:
        """Bytes as hexadecimal digits."""
        return {"profile": self.profile, "data": self.data.hex()}

    @staticmethod
    def from_json(data: Any) -> Case:
        """Raises ValueError where this is no case that ``to_json`` made."""
        if not isinstance(data, dict) or set(data) != {"profile", "data"}:
            raise ValueError('a case has "profile" and "data"')
        profile, digits = data["profile"], data["data"]
        if not isinstance(profile, str) or profile not in PROFILES:
            raise ValueError(f"there is no profile {profile!r}")
        if not isinstance(digits, str):
            raise ValueError('"data" of a case is text')
        case = Case(profile, bytes.fromhex(digits))
        if len(case.data) != PROFILES[profile].size:
            raise ValueError(f"{profile!r} takes {PROFILES[profile].size} bytes")
        return case


class Reader:
    """Reads cases for one engine: the decoders of all profiles that campaigns use."""

    def __init__(self, engine: AnyEngine) -> None:
        names = dict.fromkeys(rotation(engine))
        self.decoders = {name: Decoder.of(PROFILES[name], engine) for name in names}

    def program(self, case: Case) -> Program:
        """The program of a case."""
        return self.decoders[case.profile].decode(case.data)
