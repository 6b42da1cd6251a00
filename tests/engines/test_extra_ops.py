"""``Engine.extra_ops``: operations of an adapter's own, in this process and in a worker."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.campaign.search import search
from parity.cli.main import main
from parity.diagnose.cells import Outcome
from parity.diagnose.operations import measure_operations
from parity.engines.isolation import isolated
from parity.engines.load import EngineError
from parity.engines.open import open_engines
from parity.language import table
from tests.helpers.programs import TORCH, write_module

ADAPTER = '''
import torch
from parity.engines.adapters.torch import Torch, with_gradient
from parity.language.operation import Operation


class Right(Torch):
    """A few operations of PyTorch, and a row of its own."""

    name = "right"
    extra_ops = (
        Operation("own_cumprod", "torch.cumprod(a, dim=axis)", "+s", attributes={"axis": "AXIS"}),
    )

    def __init__(self):
        super().__init__()
        self.ops = {name: self.ops[name] for name in ("add", "mul", "sum")}
        self.ops["own_cumprod"] = lambda a, *, axis: torch.cumprod(a, axis)


class WrongGradient(Right):
    def __init__(self):
        super().__init__()
        self.ops["own_cumprod"] = lambda a, *, axis: torch.cumprod(
            with_gradient(a, lambda g: g * 1.5), axis
        )


class WrongValue(Right):
    def __init__(self):
        super().__init__()
        self.ops["own_cumprod"] = lambda a, *, axis: torch.cumsum(a, axis)


class Harmful(Right):
    extra_ops = (Operation("own_cumprod", "[torch.os][0].system('true')", "+s"),)


class Nowhere(Right):
    extra_ops = (Operation("own_cumprod", "torch.cumprod(a, dim=9)", "+s"),)


class Taken(Right):
    extra_ops = (Operation("cumprod", "torch.cumsum(a, dim=0)", "+s"),)


class NoRows(Right):
    extra_ops = 3


class NoFunction(Right):
    extra_ops = ()


class Unknown(Right):
    """Its own operation is in no other library; the gradient of the second is wrong."""

    name = "unknown"
    extra_ops = (
        Operation("own_scaling", None, "*s, ~s", domain="R, P"),
        Operation("own_mixing", None, "m k, k n", result="n m"),
    )

    def __init__(self):
        super().__init__()
        del self.ops["own_cumprod"]
        self.ops["own_scaling"] = lambda a, b: a * b + torch.log(b)
        self.ops["own_mixing"] = lambda a, b: (with_gradient(a, lambda g: 2 * g) @ b).mT.sin()
'''
pytestmark = pytest.mark.slow
ISOLATED = pytest.mark.parametrize("isolate", [False, True], ids=["here", "worker"])


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The adapter in the working folder; what it adds to the table is taken out again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    write_module(tmp_path, "adapter.py", ADAPTER)
    before = set(table.OPS)
    yield
    for name in set(table.OPS) - before:
        del table.OPS[name]
    for known in (table.output_shapes, table.attribute_choices, table.keywords):
        known.cache_clear()


def check(engine: str, *options: str, isolate: bool = False) -> int:
    try:
        return main(
            [
                *("check", "--engine", f"adapter.py:{engine}", "--examples", "40"),
                *("--ops", "own_cumprod,mul"),
                *([] if isolate else ["--no-isolate"]),
                *options,
            ]
        )
    except SystemExit as end:
        return int(end.code or 0)


@ISOLATED
def test_a_right_function_is_in_parity(isolate: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("Right", isolate=isolate) == 0
    assert "verdict: parity: no difference in 40 programs" in capsys.readouterr().out
    assert "own_cumprod" in table.OPS


@pytest.mark.parametrize(
    ("engine", "isolate"), [("WrongGradient", False), ("WrongGradient", True), ("WrongValue", True)]
)
def test_a_wrong_function_is_found_and_named(isolate: bool, engine: str) -> None:
    runner, _ = open_engines(f"adapter.py:{engine}", isolate=isolate, check=False)
    result = search(runner, TORCH, 40, ops=("own_cumprod", "mul"))
    assert result.findings
    for one in result.findings:
        assert one.finding.kind == ("gradient" if engine == "WrongGradient" else "value")
        assert one.wrong == "engine"
        assert one.cause is not None
        assert one.cause.name == "own_cumprod"
        assert one.program is not None
        assert len(one.program.statements) <= 2


@ISOLATED
@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("Harmful", "extra_ops: own_cumprod: 'system' is not called in an expression"),
        ("Nowhere", "extra_ops: own_cumprod: PyTorch computes it on no operands"),
        ("Taken", "extra_ops: there is another operation 'cumprod': rename yours"),
        ("NoRows", "extra_ops is not a list of operations"),
        ("NoFunction", "unknown operations in ops: own_cumprod"),
    ],
)
def test_a_wrong_row_ends_with_two_and_one_line(
    isolate: bool, engine: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(engine, isolate=isolate) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_the_worker_does_not_decide_what_a_row_may_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from it is checked again: here it sends a row that it did not check."""

    def changed(rows: list[dict[str, object]]) -> object:
        return original([{**row, "torch": "open('x')"} for row in rows])

    original = isolated.rows_from_plain
    monkeypatch.setattr(isolated, "rows_from_plain", changed)
    with pytest.raises(EngineError, match="'open' is no operand"):
        open_engines("adapter.py:Right", isolate=True)
    assert "own_cumprod" not in table.OPS


@ISOLATED
def test_an_operation_that_pytorch_lacks_is_compared_with_its_own_forward(isolate: bool) -> None:
    runner, _ = open_engines("adapter.py:Unknown", isolate=isolate, check=False)
    results = measure_operations(runner, TORCH, ("own_scaling", "own_mixing"))
    assert {r.outcome for r in results.of("own_scaling")} == {Outcome.RIGHT}
    assert Outcome.WRONG in {r.outcome for r in results.of("own_mixing")}
    assert {r.finding.what for r in results.of("own_mixing") if r.finding} == {"grad"}
    causes = results.causes()
    assert {cause.name for cause in causes} == {"own_mixing"}


def test_the_own_forward_is_the_reference_of_all_operations(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check("Right", "--reference", "self") == 0
    assert check("WrongValue", "--reference", "self") == 0  # a right gradient of another function
    assert check("WrongGradient", "--reference", "self") == 1
    assert "own_cumprod" in capsys.readouterr().out
