"""While programs run: no warnings of engines, and few collections."""

from __future__ import annotations

import gc
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from parity._util.process import (
    ENDING,
    THRESHOLDS,
    Interrupts,
    collector_of_new_objects,
    first_interrupt,
    fuzzing_runtime,
    uninterrupted,
)
from parity.campaign.hypothesis_search import run_property
from parity.campaign.search import search
from parity.campaign.shard import Task, run_shard
from parity.engines.adapters.dezero import Dezero
from parity.engines.execute import owns_buffer
from parity.engines.limits import Limits
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from tests.helpers.programs import TORCH

PACKAGE = Path(__file__).parents[2] / "parity"
PYTHONS = (700, 10, 10)


@pytest.fixture(autouse=True)
def _as_python_has_it() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*PYTHONS)
    yield
    gc.set_threshold(*before)


def test_the_collector_runs_rarely_inside_and_as_before_after() -> None:
    with fuzzing_runtime():
        assert gc.get_threshold() == THRESHOLDS
    assert gc.get_threshold() == PYTHONS


def test_it_is_as_before_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), fuzzing_runtime():
        raise ZeroDivisionError
    assert gc.get_threshold() == PYTHONS


def test_one_that_is_off_stays_off() -> None:
    gc.set_threshold(0, 10, 10)
    with fuzzing_runtime():
        assert gc.get_threshold() == (0, 10, 10)


def test_one_that_runs_more_rarely_is_left_so() -> None:
    gc.set_threshold(50_000, 5, 1000)
    with fuzzing_runtime():
        assert gc.get_threshold() == (50_000, 10, 1000)


def test_warnings_are_not_shown() -> None:
    with warnings.catch_warnings(record=True) as seen, fuzzing_runtime():
        warnings.warn("of an engine", stacklevel=1)
    assert seen == []


class Notes(Dezero):
    """Notes the thresholds at each backward."""

    seen: ClassVar[list[tuple[int, int, int]]] = []

    def __init__(self) -> None:
        super().__init__()
        owns_buffer(self)  # is asked once, before programs run
        self.seen.clear()

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        self.seen.append(gc.get_threshold())
        super().backward(t, gradient, **flags)


def _hunted() -> None:
    search(Notes(), TORCH, 40)


def _shard() -> None:
    run_shard(Task(f"{__name__}:Notes", "torch", False, Limits(), "0", 1, 40, 40))


def _property() -> None:
    run_property(Decoder.of(PROFILES["gradients"], Notes()), Notes(), TORCH, 40, 0)


@pytest.mark.parametrize("run", [_hunted, _shard, _property])
def test_what_runs_many_programs_runs_them_so(run: Callable[[], None]) -> None:
    run()
    assert len(Notes.seen) > 20
    assert set(Notes.seen) == {THRESHOLDS}


def test_a_signal_that_a_system_lacks_is_not_used() -> None:
    """Windows has no SIGHUP, and asking whether a process lives there would end it."""
    names = {signal.Signals(number).name for number in ENDING}
    assert {"SIGINT", "SIGTERM"} <= names <= {"SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"}
    sources = [file.read_text() for file in PACKAGE.rglob("*.py")]
    assert [text for text in sources if re.search(r"os\.kill\([^()]*, 0\)", text)] == []
    assert [text for text in sources if "signal.SIGHUP" in text] == []


def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def thread() -> None:
        with Interrupts(), first_interrupt(lambda: None), uninterrupted():
            seen.append(signal.getsignal(signal.SIGTERM))

    one = threading.Thread(target=thread)
    one.start()
    one.join()
    assert seen == [before]


def test_without_interrupts_only_ctrl_c_is_handled() -> None:
    """The program that calls parity handles its own signals."""
    before = [signal.getsignal(number) for number in ENDING]
    with first_interrupt(lambda: None):
        inside = [signal.getsignal(number) for number in ENDING]
        changed = [n for n, a, b in zip(ENDING, before, inside, strict=True) if a != b]
    assert changed == [signal.SIGINT]


def test_the_third_signal_has_its_default_action() -> None:
    with Interrupts() as interrupts:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert (interrupts.status, str(interrupts)) == (143, "interrupted by SIGTERM")


def test_the_collector_looks_at_new_objects_only_for_a_while() -> None:
    gc.unfreeze()
    with collector_of_new_objects():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
    gc.freeze()
    try:
        with collector_of_new_objects():
            pass
        assert gc.get_freeze_count() > 0  # it was the choice of the caller
    finally:
        gc.unfreeze()
