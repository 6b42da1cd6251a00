"""What the default budget of ``parity check`` finds."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from parity.cli.options import DEFAULT_EXAMPLES
from parity.diagnose.defects.traversal import CreationOrderIgnored, InplaceAccumulation, Overwrite
from parity.diagnose.shrink import reduce_program
from parity.engines.base import Engine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import ROTATION
from parity.language import program as pr
from tests.helpers.programs import DEZERO, check, failing

DEFECTS: dict[str, type[Engine]] = {
    cls.name: cls for cls in (Overwrite, InplaceAccumulation, CreationOrderIgnored)
}


def _first(engine: Engine, seed: int) -> tuple[int, pr.Program, Any]:
    found = next(failing(engine, seed, DEFAULT_EXAMPLES), None)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_found_with_the_default_budget(name: str, seed: int) -> None:
    number, _, finding = _first(DEFECTS[name](), seed)
    assert number < DEFAULT_EXAMPLES / 4
    assert finding.kind in {"gradient", "accumulation", "second-order"}


@pytest.mark.parametrize("seed", range(10))
def test_overwrite_reduces_to_the_example_of_the_book(seed: int) -> None:
    engine = Overwrite()
    _, case, finding = _first(engine, seed)
    small, after = reduce_program(case, finding, lambda p: check(p, engine))
    assert str(small) == "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"
    assert (after.kind, float(after.engine), float(after.reference)) == ("gradient", 1.0, 2.0)


def test_the_default_budget_reaches_every_profile_often() -> None:
    turns = DEFAULT_EXAMPLES // len(ROTATION)
    assert turns >= 90
    assert set(ROTATION) <= set(PROFILES)
    decoders = [Decoder.of(PROFILES[name], DEZERO) for name in dict.fromkeys(ROTATION)]
    assert list(itertools.chain.from_iterable(d.untested for d in decoders)) == []
