"""While programs run: no warnings of engines, and few collections."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from parity._util.process import THRESHOLDS, fuzzing_runtime
from parity.campaign.hypothesis_search import run_property
from parity.campaign.search import search
from parity.campaign.shard import Task, run_shard
from parity.engines.adapters.dezero import Dezero
from parity.engines.execute import owns_buffer
from parity.engines.limits import Limits
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from tests.helpers.programs import TORCH

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
