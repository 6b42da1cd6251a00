"""At ties and kinks a convention says what the gradient is: another one is a finding."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from parity.engines.quirks.table import QUIRKS
from parity.language.program import Program
from parity.language.text_format import program_from_text
from parity.oracle.adjudicate import adjudicate
from parity.oracle.check import check_program
from parity.oracle.verdict import ENGINE
from tests.helpers.programs import TORCH
from tests.helpers.quirk_engines import QUIRK_ENGINES

#: Two, three, four elements tie, or all.
_LINES = ([2.0, 3.0, 3.0], [3.0, 2.0, 3.0, 3.0], [3.0, 3.0, 2.0, 3.0, 3.0], [3.0, 3.0, 3.0])
_TABLES = (
    [[2.0, 3.0, 3.0], [2.0, 3.0, 3.0]],
    [[1.1, 1.1, 0.7], [1.1, 1.1, 0.7], [1.1, 1.1, 0.7]],
)
#: Operations before and after the one that chooses, and the dtype. Those before keep 0 and order.
_AROUND: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    ((), (), ""),
    ((), ("exp",), ", float32"),
    (("tanh",), (), ""),
    (("tanh",), ("tanh", "sum axis=None keepdims=False"), ", float32"),
    (("div_scalar c=3", "mul_scalar c=1.1"), ("exp",), ""),
)
_CLIPS = "clip x_max=0.5 x_min=0.0", "clip x_max=None x_min=0.0", "clip x_max=0.0 x_min=None"


def _program(
    data: list[Any], call: str, before: tuple[str, ...], after: tuple[str, ...], dtype: str
) -> Program:
    """``call`` and what stands around it, on leaves with the same data, and a backward."""
    operands = list(range(2 if call.partition(" ")[0] in ("maximum", "minimum") else 1))
    lines = [f"leaf({data}{dtype})" for _ in operands]

    def apply(call: str, *operands: int) -> int:
        name, *attrs = call.split()
        lines.append(f"{name}({', '.join([*(f'x{i}' for i in operands), *attrs])})")
        return len(lines) - 1

    for name in before:
        operands = [apply(name, i) for i in operands]
    result = apply(call, *operands)
    for name in after:
        result = apply(name, result)
    text = "\n".join(f"x{i} = {line}" for i, line in enumerate(lines))
    shape = program_from_text(text).infos[result].shape
    gradient = (1.0 + np.arange(int(np.prod(shape)))).reshape(shape).tolist()
    return program_from_text(f"{text}\nbackward(x{result}, gradient={gradient}{dtype})")


def _calls(op: str) -> Iterator[tuple[list[Any], str]]:
    if op in ("max", "min"):
        for data, axis in (
            *((line, axis) for line in _LINES for axis in (None, 0)),
            *((table, axis) for table in _TABLES for axis in (None, 0, -1)),
        ):
            signed = np.array(data) * (1 if op == "max" else -1)
            yield signed.tolist(), f"{op} axis={axis} keepdims=False"
    elif op in ("maximum", "minimum"):
        yield from ((data, op) for data in (*_LINES, *_TABLES))
    elif op == "clip":
        yield from (([0.0, 2.0, -2.0], call) for call in _CLIPS)
    else:
        yield [0.0, -0.75, 0.0, 2.0], f"{op} slope=0.5" if op == "leaky_relu" else op


def _cases(op: str) -> Iterator[Program]:
    for (before, after, dtype), (data, call) in itertools.product(_AROUND, list(_calls(op))):
        yield _program(data, call, before, after, dtype)


_CHOICES = sorted(name for name, cls in QUIRKS.items() if cls.about in TORCH.ops)


@pytest.mark.parametrize("quirk", _CHOICES)
def test_another_gradient_at_a_tie_or_kink_is_a_finding(quirk: str) -> None:
    engine = QUIRK_ENGINES[quirk]()
    cases = list(_cases(QUIRKS[quirk].about))
    assert len(cases) >= 5
    assert [case for case in cases if check_program(case, engine, TORCH) is None] == []


@pytest.mark.parametrize("quirk", _CHOICES)
def test_with_the_quirk_it_is_none(quirk: str) -> None:
    engine = QUIRK_ENGINES[quirk]()
    engine.quirks = frozenset({quirk})
    cases = _cases(QUIRKS[quirk].about)
    assert [case for case in cases if check_program(case, engine, TORCH) is not None] == []


@pytest.mark.parametrize("quirk", _CHOICES)
def test_the_engine_is_wrong_and_no_rounding_is_to_blame(quirk: str) -> None:
    engine = QUIRK_ENGINES[quirk]()
    for case in itertools.islice(_cases(QUIRKS[quirk].about), 0, None, 7):
        finding = check_program(case, engine, TORCH)
        assert finding is not None
        assert adjudicate(case, finding, engine, TORCH).wrong == ENGINE
