"""Engines with several faults at once: each finding still gets its name."""

from __future__ import annotations

from parity_helpers import TORCH

from parity.defects import DEFECTS
from parity.defects.base import Defect
from parity.diagnose import Diagnosis
from parity.engines.base import Engine
from parity.engines.load import load_pair
from parity.hunt import hunt


def _named(engine: Engine, ops: tuple[str, ...] | None = None) -> list[tuple[str, Diagnosis]]:
    reported = hunt(engine, TORCH, 600, ops=ops).reported
    return [(r.finding.kind, r.diagnosis) for r in reported if r.diagnosis is not None]


def _both(one: str, other: str) -> type[Defect]:
    return type("Both", (DEFECTS[one], DEFECTS[other]), {"name": "both"})


def test_every_finding_on_micrograd_has_a_name() -> None:
    engine, _ = load_pair("micrograd", "torch")
    named = {
        (kind, match.defect) for kind, diagnosis in _named(engine) for match in diagnosis.matches
    }
    assert {defect for kind, defect in named if kind == "depth"} == {"recursion"}
    assert ("accumulation", "micrograd-backward") in named
    assert {defect for kind, defect in named if kind != "depth"} == {"micrograd-backward"}


def test_two_faults_are_named_together() -> None:
    both = _both("overwrite", "broadcasting-undone-by-mean")
    named = {m.defect for _kind, diagnosis in _named(both()) for m in diagnosis.matches}
    assert named & {
        "overwrite + broadcasting-undone-by-mean",
        "broadcasting-undone-by-mean + overwrite",
    }
