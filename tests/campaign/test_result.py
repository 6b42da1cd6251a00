"""What findings say: where the engine raised, numbers that look the same, forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.campaign.result import distinguishable_texts
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.reproducer import script
from parity.engines.isolation.isolated import IsolatedRunner
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.programs import TORCH, write_module

NEG = program_from_text("x0 = leaf(3.0)\nx1 = neg(x0)")


@pytest.mark.parametrize(
    ("a", "b", "shown"),
    [
        (np.array([1.0]), np.array([2.0]), ("[1.]", "[2.]")),
        (np.array([0.1]), np.array([0.1 + 2e-16]), ("[0.1]", "[0.1000000000000002]")),
        (np.float32([1]), np.array([1.0]), ("[1.] (float32 (1,))", "[1.] (float64 (1,))")),
        (np.zeros((0, 2)), np.zeros(0), ("[] (float64 (0, 2))", "[] (float64 (0,))")),
        (None, np.array(1.0), ("None", "1.0")),
        ("no exception", "ValueError: no", ("no exception", "ValueError: no")),
    ],
)
def test_both_sides_look_different(a: Any, b: Any, shown: tuple[str, str]) -> None:
    assert distinguishable_texts(a, b) == shown


RAISES = """
from parity.diagnose.defects.engine import TapeEngine

def helper(a):
    raise ValueError("some reason")  # line 5

class Mine(TapeEngine):
    name = "mine"

    def __init__(self):
        super().__init__()
        self.ops = {**self.ops, "neg": helper}

class Numpy(TapeEngine):
    name = "numpy"

    def __init__(self):
        super().__init__()
        self.ops = {**self.ops, "neg": self.neg}

    def neg(self, a):
        import numpy as np
        return np.stack([a.data, a.data], axis=7)  # line 23
"""


@pytest.mark.parametrize(("name", "place"), [("Mine", ":5)"), ("Numpy", ":23)")])
def test_an_exception_says_where_it_was_raised(name: str, place: str, tmp_path: Path) -> None:
    file = write_module(tmp_path, "raising.py", RAISES)
    engine = IsolatedRunner(f"{file}:{name}")
    try:
        far = check_program(NEG, engine, TORCH)
    finally:
        engine.close()
    assert far is not None
    assert far.engine.endswith(f" (raising.py{place}"), far.engine


def test_it_says_so_in_the_same_process() -> None:
    class Raises(TapeEngine):
        def leaf(self, array: Any, requires_grad: bool = True) -> Any:
            raise ValueError("some reason")

    found = check_program(NEG, Raises(), TORCH)
    assert found is not None
    assert "some reason (test_result.py:" in found.engine


def test_a_script_reads_the_gradients_that_the_harness_reads() -> None:
    program = program_from_text("""
        x0 = leaf(3.0)
        x1 = leaf(2.0)
        x2 = mul(x0, x1)
        backward(x2)
        backward(x1)
    """)

    class Lazy(TapeEngine):
        """Reading a gradient changes the next one, as where gradients share what is lazy."""

        read = 0

        def grad(self, t: Any) -> Any:
            self.read += 1
            array = super().grad(t)
            return array if array is None or self.read < 3 else array + 1

    finding = check_program(program, Lazy(), TORCH)
    assert finding is not None
    text = script(program, finding, TapeEngine(), "x.py")
    assert text.count("list(map(engine.grad, [x0, x1]))") == 1
