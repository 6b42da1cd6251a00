"""What is wrong only where something is read or not, laid out otherwise or dropped, is said so."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.operations import measure_operations
from parity.diagnose.reading import explicit
from parity.diagnose.reproducer import script
from parity.diagnose.shrink import reduced
from parity.engines.adapters.dezero import Dezero
from parity.engines.adapters.torch import Torch
from parity.engines.runner import as_runner
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language.program import Program
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from parity.oracle.finding import Finding
from tests.helpers import reading_faults as faults

TORCH = Torch()
SQUARES = "x0 = leaf(3.0)\nx1 = square(x0)\nx2 = square(x1)\nbackward(x2)"
#: An engine, a program that shows its fault, and what it depends on.
SHOWN: tuple[tuple[type[TapeEngine], str, str], ...] = (
    (
        faults.BufferReused,
        "unread('values')\nx0 = leaf(3.0)\nx1 = exp(x0)\nx2 = sub(x0, x0)\nbackward(x1)",
        "only where x1 is not read right after the statement",
    ),
    (
        faults.FreedAfterUse,
        f"unread('values')\n{SQUARES}",
        "only where x1 is not read right after the statement",
    ),
    (
        faults.Donated,
        f"unread('values')\n{SQUARES}\nread(x1)",
        "only where x1 is not read right after the statement",
    ),
    (faults.DetachedByReading, SQUARES, "only where x1 or x2 is read right after the statement"),
    (
        faults.PendingGradient,
        "unread('all')\nx0 = leaf(3.0)\nx1 = neg(x0)\nx2 = square(x0)\nbackward(x1)\nbackward(x2)",
        "only where gradients are not read before the last event",
    ),
    (
        faults.LeavesInOrder,
        "x0 = leaf([[3.0, 2.0], [4.0, 5.0]], layout='F')\nx1 = neg(x0)",
        "only where x0 is given as a transpose",
    ),
    (
        faults.LeafChanged,
        "x0 = leaf(3.0, layout='read-only')",
        "only where x0 is given as a read-only array",
    ),
    (
        faults.SeedChanged,
        "x0 = leaf(3.0)\nbackward(x0, gradient=2.0, layout='read-only')",
        "only where the gradient that is passed is a read-only array",
    ),
    (
        faults.WeakFormulas,
        "x0 = leaf(3.0)\nx1 = exp(x0)\nbackward(x1, create_graph=True)\ndel x1\nx2 = grad_of(x0)\n"
        "x3 = mul(x2, x0)\ncleargrad(x0)\nbackward(x3)",
        "only where x1 is dropped",
    ),
    (
        faults.DetachedOnce,
        "x0 = leaf(3.0)\nx1 = detach(x0)\nx2 = mul(x0, x1)\nbackward(x2, create_graph=True)\n"
        "x3 = grad_of(x0)\nx4 = mul(x3, x0)\ncleargrad(x0)\nbackward(x4)",
        "",
    ),
    (
        faults.AddedToCopy,
        "x0 = leaf([[3.0, 2.0], [4.0, 5.0]])\nx1 = transpose(x0, axes=(1, 0))\n"
        "backward(x1, gradient=[[1.0, 2.0], [3.0, 4.0]])\n"
        "backward(x0, gradient=[[1.0, 2.0], [3.0, 4.0]])",
        "",
    ),
)
NAMES = [cls.__name__ for cls, _, _ in SHOWN]


def _explicit(cls: type[TapeEngine], program: Program) -> tuple[Program, Finding]:
    finding = check_program(program, cls(), TORCH)
    assert finding is not None
    return explicit(program, finding, lambda p: check_program(p, cls(), TORCH))


@pytest.mark.parametrize(("cls", "text", "only"), SHOWN, ids=NAMES)
def test_what_a_program_depends_on_is_said(cls: type[TapeEngine], text: str, only: str) -> None:
    program = program_from_text(text)
    assert check_program(program, TapeEngine(), TORCH) is None
    assert check_program(program, Dezero(), TORCH) is None
    small, finding = _explicit(cls, program)
    assert finding.only == only
    assert ("is read" in only) is (small != program)  # it then says what is read


def test_the_rest_of_the_reads_goes() -> None:
    text = f"unread('values')\n{SQUARES}\nread(x2)\ndel x2"
    program = program_from_text(text)
    engine = faults.FreedAfterUse()
    finding = check_program(program, engine, TORCH)
    assert finding is not None
    small, _ = reduced(program, finding, engine, TORCH)
    assert str(small).startswith("unread('values')")
    assert "read(" not in str(small).partition("\n")[2]


def test_a_layout_that_does_not_matter_goes() -> None:
    program = program_from_text(
        "x0 = leaf([[3.0, 2.0], [4.0, 5.0]], layout='F')\n"
        "x1 = leaf([[3.0, 2.0], [4.0, 5.0]], layout='strided')\nx2 = mul(x0, x1)\n"
        "backward(x2, gradient=[[1.0, 2.0], [3.0, 4.0]], layout='reversed')"
    )
    engine = faults.LeavesInOrder()
    finding = check_program(program, engine, TORCH)
    assert finding is not None
    small, _ = reduced(program, finding, engine, TORCH)
    assert str(small).count("layout") == 1


#: How many programs of a profile find an engine.
FOUND: tuple[tuple[type[TapeEngine], str, int], ...] = (
    *((cls, "unread", 60) for cls in (faults.BufferReused, faults.FreedAfterUse, faults.Donated)),
    *((cls, "unread", 60) for cls in (faults.SeedChanged, faults.LeafChanged)),
    *((cls, "unread", 120) for cls in (faults.LeavesInOrder, faults.PendingGradient)),
    *((cls, "recorded", 60) for cls in (faults.DetachedOnce, faults.NoThirdOrder)),
    (faults.WeakFormulas, "recorded", 60),
    *((cls, "twisted", 300) for cls in (faults.BaseOfTranspose, faults.AddedToCopy)),
    (faults.SquareInMemory, "twisted", 300),
)


@pytest.mark.parametrize(
    ("cls", "profile", "most"), FOUND, ids=[f"{c.__name__}-{p}" for c, p, _ in FOUND]
)
def test_a_profile_finds_it(cls: type[TapeEngine], profile: str, most: int) -> None:
    engine = cls()
    programs = itertools.islice(sweep(Decoder.of(PROFILES[profile], engine), 0), most)
    assert any(check_program(p, engine, TORCH) is not None for p in programs)


@pytest.mark.parametrize(
    ("cls", "where"),
    [
        (
            faults.SquareInMemory,
            "the gradient of `square` is wrong where its gradient is a transpose",
        ),
        (faults.MeanInMemory, "the gradient of `mean` is wrong where its gradient is a transpose"),
        (
            faults.MatmulFactors,
            "the gradient of `matmul` is wrong where operands are given as transposes",
        ),
        (
            faults.AbsoluteStrides,
            "the gradient of `exp` is wrong where its gradient is reversed, with negative strides",
        ),
    ],
)
def test_an_operation_that_is_wrong_on_views_is_found_alone(
    cls: type[TapeEngine], where: str
) -> None:
    ops = ("transpose", "flip", "sum", "square", "mean", "matmul", "exp")
    table = measure_operations(as_runner(cls()), TORCH, ops)
    assert [cause.sentence for cause in table.causes()] == [where]
    assert not measure_operations(as_runner(TapeEngine()), TORCH, ops).suspicious()


@pytest.mark.parametrize(
    "cls",
    [faults.FreedAfterUse, faults.DetachedByReading, faults.PendingGradient, faults.SeedChanged],
)
def test_the_script_shows_it(cls: type[TapeEngine], tmp_path: Path) -> None:
    text = next(text for one, text, _ in SHOWN if one is cls)
    program, finding = _explicit(cls, program_from_text(text))
    file = tmp_path / "finding.py"
    source = script(program, finding, cls(), file.name)
    assert finding.only in source
    file.write_text(source)
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
