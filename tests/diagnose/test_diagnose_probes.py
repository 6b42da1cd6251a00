"""Findings of the probes of ``no_grad``: the defect that is named is the one that is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.diagnose import diagnose_probe
from parity.engines.base import Engine
from parity.oracle.probes import PROBES
from tests.helpers.programs import TORCH


class Quiet(TapeEngine):
    """A backward from what was not recorded does nothing."""

    def backward(self, t: Any, gradient: Any = None, **flags: Any) -> None:
        if t.requires_grad:
            super().backward(t, gradient, **flags)


class Slot(TapeEngine):
    """Nested contexts share one place for what was before."""

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        self.before, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = self.before


class QuietSlot(Slot, Quiet):
    """Both: nothing is recorded any more, and nothing raises."""


class Early(TapeEngine):
    """The inner context ends the outer one."""

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        self.recording = False
        try:
            yield
        finally:
            self.recording = True


class NoFinally(TapeEngine):
    """An exception leaves nothing recorded."""

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        before, self.recording = self.recording, False
        yield
        self.recording = before


class OnceOnly(TapeEngine):
    """A second context in the first raises: nothing is known of what is recorded."""

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        if not self.recording:
            raise RuntimeError("entered twice")
        with super().no_grad():
            yield


def _named(engine: Engine) -> dict[str, list[str]]:
    """The defects that are named, by the name of the probe that found something."""
    named = {}
    for probe in PROBES:
        finding = next(probe.run(engine), None) if probe.name.startswith("no-grad") else None
        if finding is not None:
            matches = diagnose_probe(probe, finding, engine, TORCH).matches
            named[probe.name] = [match.defect for match in matches]
    return named


@pytest.mark.parametrize(
    ("engine", "named"),
    [
        (NoFinally(), {"no-grad-exception": ["no-grad-not-restored"]}),
        (Slot(), {"no-grad": ["nested-no-grad-kept"]}),
        (QuietSlot(), {"no-grad": ["nested-no-grad-kept"]}),
        (Early(), {"no-grad": ["nested-no-grad"]}),
        (OnceOnly(), {"no-grad": []}),
        (TapeEngine(), {}),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Engine) else "",
)
def test_the_defect_of_no_grad_is_named(engine: Engine, named: dict[str, list[str]]) -> None:
    assert _named(engine) == named


def test_what_an_earlier_probe_switched_off_is_not_found_by_the_next() -> None:
    engine = Slot()
    assert [probe.name for probe in PROBES[-2:] if list(probe.run(engine))] == ["no-grad"]
    assert not engine.recording
