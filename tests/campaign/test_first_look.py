"""A first look at an engine: it tells plain faults only, and does not need PyTorch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from parity.campaign.first_look import look
from parity.campaign.watch import Watch
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite
from parity.engines.builtin import AS_IS
from parity.engines.load import load_engine
from parity.engines.runner import as_runner
from parity.language.program import Program


class Told(Watch):
    def __init__(self) -> None:
        self.faults: list[tuple[str, str, bool]] = []

    def fault(self, sentence: str, program: Program | None, certain: bool = True) -> None:
        self.faults.append((sentence, str(program), certain))


def test_a_wrong_tape_is_told_once() -> None:
    told = Told()
    assert look(as_runner(Overwrite()), told) is not None
    says = "a reused variable's gradient is wrong"
    assert told.faults == [(says, "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)", False)]


def test_a_wrong_operation_is_named() -> None:
    class Mine(TapeEngine):
        def __init__(self) -> None:
            super().__init__()
            self.ops = {**self.ops, "sin": self.ops["cos"]}  # type: ignore[misc]

    told = Told()
    look(as_runner(Mine()), told)
    ((sentence, program, _),) = told.faults
    assert sentence == "the value of `sin` is wrong"
    assert "sin(x0)" in program
    assert look(as_runner(Mine()), told, ("cos", "add")) is None


@pytest.mark.parametrize("name", ["dezero", "torch", AS_IS["torch"]])
def test_a_right_engine_has_no_plain_fault(name: str) -> None:
    assert look(as_runner(load_engine(name)), Watch()) is None


def test_a_declared_convention_is_no_plain_fault() -> None:
    members = {"quirks": frozenset({"keeps-graphs"})}
    declared = type("Declared", (DEFECTS["graph-kept"],), members)
    assert look(as_runner(declared()), Watch()) is None


def test_an_engine_that_ends_its_process_is_left_to_the_search() -> None:
    class Ending(TapeEngine):
        def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
            raise SystemExit

    assert look(as_runner(Ending()), Watch()) is None


def test_it_needs_no_pytorch() -> None:
    code = (
        "import sys\n"
        "from parity.campaign.first_look import look\n"
        "from parity.campaign.watch import Watch\n"
        "from parity.engines.open import open_runner\n"
        "from parity.engines.selfcheck import check_adapter\n"
        "runner = open_runner('parity.diagnose.defects.traversal:Overwrite', isolate=False)\n"
        "check_adapter(runner)\n"
        "assert look(runner, Watch()) is not None\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
