"""Engines that harm their process: never a false verdict, a traceback or a run without end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.search import search
from parity.engines.isolation.isolated import IsolatedRunner
from parity.engines.isolation.process import Forked, Source
from parity.engines.limits import Limits
from parity.engines.load import EngineError
from parity.engines.selfcheck import check_adapter
from tests.helpers.hostile import HERE, HOSTILE, ISOLATED
from tests.helpers.programs import TORCH

pytestmark = pytest.mark.slow

OPS = ("add", "mul")
HERE_ALL = [name for name, engine in HOSTILE.items() if HERE in engine.where]
ISOLATED_ALL = [name for name, engine in HOSTILE.items() if ISOLATED in engine.where]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``parity check --no-isolate`` says of each engine."""
    folder = tmp_path_factory.mktemp("here") / "all"
    command = [sys.executable, "-m", "tests.helpers.hostile", str(folder), *HERE_ALL]
    options = ["--", "--no-isolate", "--examples", "6", "--ops", ",".join(OPS)]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", HERE_ALL)
def test_in_the_process_of_parity(here: dict[str, Any], name: str) -> None:
    outcome, expected = here[name], HOSTILE[name]
    assert outcome["status"] in expected.statuses, outcome
    assert "Traceback" not in outcome["out"] + outcome["err"]
    said = outcome["out"] + outcome["err"].replace("x" * 1000, "")  # without the engine's flood
    assert len(said) < 100_000
    if outcome["status"] == 2:
        (line,) = outcome["err"].splitlines()
        assert line.startswith("parity: error: ")
        assert outcome["out"] == ""
        return
    word = "findings" if outcome["status"] else "parity"
    assert outcome["out"].splitlines()[-1].startswith(f"verdict: {word}: ")
    if outcome["status"]:
        assert any(f"\n{kind}: " in outcome["out"] for kind in expected.kinds if kind)


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    source = Forked()
    yield source
    source.close()


@pytest.mark.parametrize("name", ISOLATED_ALL)
def test_in_a_process_of_its_own(name: str, source: Source, tmp_path: Path) -> None:
    expected = HOSTILE[name]
    file = tmp_path / "engine.py"
    file.write_text(expected.source)
    refusal = ""
    try:
        engine = IsolatedRunner(f"{file}:Mine", Limits(3.0, 400), source)
        check_adapter(engine)
    except EngineError as error:
        refusal = str(error)
    if refusal:
        assert 2 in expected.statuses
        assert len(refusal.splitlines()) == 1
        return
    result = search(engine, TORCH, 4, 0, OPS)
    engine.close()
    kinds = {str(reported.finding.kind) for reported in result.findings}
    # An engine that does harm may also end its process, or take too long on a busy machine.
    assert kinds <= {*expected.kinds, *(("crash", "time") if expected.kinds else ())}
    assert kinds or "" in (expected.kinds or ("",))
