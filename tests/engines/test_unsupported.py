"""What an adapter declares unsupported is not a finding, and does not hide one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.search import search
from parity.cli.main import main
from parity.cli.options import PARITY
from parity.diagnose.defects.engine import TapeEngine
from parity.engines import Unsupported
from parity.engines.execute import execute, owns_buffer
from parity.engines.selfcheck import remarks
from parity.engines.trace import UNSUPPORTED
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.programs import TORCH, write_module


class Wide(TapeEngine):
    """Has no tensors of less than two dimensions."""

    name = "wide"

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        if array.ndim < 2:
            raise Unsupported("tensors of less than two dimensions")
        return super().leaf(array, requires_grad)


class OneAxis(TapeEngine):
    """Sums along one axis only."""

    name = "one-axis"

    def __init__(self) -> None:
        super().__init__()
        whole = self.ops["sum"]

        def one(a: Any, *, axis: Any, keepdims: bool) -> Any:
            if not isinstance(axis, int):
                raise Unsupported("sum along all axes")
            return whole(a, axis=axis, keepdims=keepdims)

        self.ops = {**self.ops, "sum": one}


class Overwrites(OneAxis):
    """And has a wrong gradient for what it does have."""

    def grad(self, t: Any) -> Any:
        array = super().grad(t)
        return None if array is None else array + 1


SUMS = """
    x0 = leaf([3.0, 2.0])
    x1 = neg(x0)
    {before}
    x2 = sum(x1, axis=None, keepdims=False)
    backward(x2)
"""


def test_a_program_ends_without_a_finding() -> None:
    program = program_from_text(SUMS.format(before=""))
    trace = execute(program, OneAxis())
    assert trace.failure is not None
    assert (trace.failure.kind, trace.failure.statement) == (UNSUPPORTED, 1)
    unsupported: Counter[str] = Counter()
    assert check_program(program, OneAxis(), TORCH, unsupported) is None
    assert unsupported == {"sum along all axes": 1}


def test_what_came_before_is_compared() -> None:
    before = "backward(x1, gradient=[1.0, 2.0])"
    finding = check_program(program_from_text(SUMS.format(before=before)), Overwrites(), TORCH)
    assert finding is not None
    assert finding.kind == "gradient"


def test_it_does_not_hide_what_pytorch_refuses_before() -> None:
    program = program_from_text("""
        x0 = leaf([3.0, 2.0], requires_grad=False)
        backward(x0, gradient=[1.0, 1.0])
        x1 = sum(x0, axis=None, keepdims=False)
    """)

    class Silent(OneAxis):
        def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
            pass

    finding = check_program(program, Silent(), TORCH)
    assert finding is not None
    assert finding.kind == "no-exception"


@pytest.mark.parametrize("cls", [Wide, OneAxis])
def test_the_trial_takes_it_for_no_fault(cls: type[TapeEngine]) -> None:
    assert list(remarks(cls(), TORCH)) == []


def test_the_trial_looks_at_the_operands_that_remain() -> None:
    class Swapped(Wide):
        def __init__(self) -> None:
            super().__init__()
            whole = self.ops["sub"]
            self.ops = {**self.ops, "sub": lambda a, b: whole(b, a)}

    assert "operands exchanged" in next(remarks(Swapped(), TORCH)).text


def test_a_run_lists_it() -> None:
    result = search(OneAxis(), TORCH, 60)
    assert not result.findings
    assert result.unsupported["sum along all axes"] > 0
    assert "sum along all axes" in result.untested


def test_the_buffer_is_found_without_scalars() -> None:
    assert owns_buffer(Wide()) == owns_buffer(TapeEngine())


ADAPTER = """
from parity.diagnose.defects.engine import TapeEngine
from parity.engines import Unsupported

class Mine(TapeEngine):
    name = "mine"

    def __init__(self):
        super().__init__()
        whole = self.ops["matmul"]

        def matmul(a, b):
            if min(a.data.ndim, b.data.ndim) < 2:
                raise Unsupported("matmul of vectors")
            return whole(a, b)

        self.ops = {"add": self.ops["add"], "matmul": matmul}
"""


@pytest.mark.parametrize("isolate", ["--isolate", "--no-isolate"])
def test_in_a_process_of_its_own(
    isolate: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_module(tmp_path, "lacking_engine_of_a_test.py", ADAPTER)
    status = main(["check", "--engine", f"{file}:Mine", "--examples", "40", "-v", isolate])
    shown = capsys.readouterr()
    assert status == PARITY, shown
    assert "matmul of vectors" in shown.out
    assert "programs ended early" in shown.out


class Scalar(TapeEngine):
    """Whose gradients become NumPy scalars, as the sum of two 0-d arrays is one."""

    name = "scalar"

    def grad(self, t: Any) -> Any:
        array = super().grad(t)
        return array[()] if array is not None and array.ndim == 0 else array


def test_a_gradient_that_is_a_scalar_is_not_changed_in_place() -> None:
    engine = Scalar()
    vars(engine)["_owns_buffer"] = True  # of arrays with dimensions it does
    changed = program_from_text("""
        x0 = leaf(3.0)
        backward(x0)
        change_grad(x0)
    """)
    assert check_program(changed, engine, TORCH) is None
    zeroed = program_from_text("""
        x0 = leaf(3.0)
        backward(x0)
        zero_grad(x0)
    """)
    assert check_program(zeroed, engine, TORCH) is None
