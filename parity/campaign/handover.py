"""What a campaign finds is left for Hypothesis, so that ``pytest`` replays it at once."""

from __future__ import annotations

from typing import NoReturn

from parity.campaign.cases import Case
from parity.campaign.database import examples_of
from parity.campaign.hypothesis_search import PROGRAMS_AN_EXAMPLE, property_of
from parity.campaign.records import FindingData
from parity.engines.base import Engine
from parity.generate.decoder import PROFILES, Decoder
from parity.language.program import Program
from parity.oracle.compare import KINDS


def hand_over(finding: FindingData, engine: Engine, where: str | None = None) -> bool:
    """Save the bytes of a finding for the tests of its profile; whether there is a database.

    ``where``: as in ``parity.campaign.database.examples_of``. Nothing runs on the engine: that the
    program fails is known.
    """
    if finding["case"] is None:
        return False
    case = Case.from_json(finding["case"])
    database = examples_of(engine, case.profile, where)
    if database is None:
        return False
    kind = KINDS[finding["kind"]]

    def fail(several: list[Program]) -> NoReturn:
        raise kind(0, "", 0, None, None)

    saving = property_of(Decoder.of(PROFILES[case.profile], engine), fail, database)
    try:
        # An example has several programs; the others are of zeros, the simplest there are.
        saving.hypothesis.fuzz_one_input(
            case.data.ljust(PROGRAMS_AN_EXAMPLE * len(case.data), b"\0")
        )
    except kind:
        return True
    return False
