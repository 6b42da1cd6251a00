"""The start of an adapter, and the faults of adapters that a run does not begin with."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from parity._util.errors import CANNOT_RUN
from parity.cli.main import main
from parity.cli.options import PARITY
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.base import Engine
from parity.engines.load import EngineError, load_engine
from parity.engines.selfcheck import check_adapter, remarks
from parity.language.table import OPS, with_rules
from tests.helpers.programs import TORCH, write_module

#: An engine like micrograd without its faults: leaves alone keep gradients, graphs are freed.
SCALARS = """
    class Value:
        def __init__(self, data, parents=(), slopes=()):
            self.data, self.parents, self.slopes = data, parents, slopes
            self.grad, self.freed = 0.0, False

        def __add__(self, other):
            return Value(self.data + other.data, (self, other), (1.0, 1.0))

        def __mul__(self, other):
            return Value(self.data * other.data, (self, other), (other.data, self.data))

        def backward(self, retain_graph=False):
            order, seen, todo = [], set(), [(self, False)]
            while todo:
                value, done = todo.pop()
                if done:
                    order.append(value)
                elif value not in seen:
                    seen.add(value)
                    todo += [(value, True), *((p, False) for p in value.parents)]
            grads = {self: 1.0}
            for value in reversed(order):
                if not value.parents:
                    value.grad += grads[value]
                elif value.freed:
                    raise RuntimeError("the graph was freed")
                for parent, slope in zip(value.parents, value.slopes):
                    grads[parent] = grads.get(parent, 0.0) + slope * grads[value]
            for value in order:
                value.freed = not retain_graph
"""
#: The four lines: what stands there, and what is filled in.
LINES = [
    ("Tensor = ...", "from scalars_of_a_test import Value as Tensor"),
    ("        return ...", "        return np.array(float(t.data))"),
    ("        return ...", "        return np.array(float(t.grad))"),
    ("        ...", "        root.backward(BACKWARD)"),
]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    monkeypatch.setattr(sys, "path", list(sys.path))


def _fill_in(file: Path, backward: str, count: int = 4) -> None:
    """Fill in the first of the four lines, and no other."""
    lines = file.read_text().splitlines()
    for empty, filled in LINES[:count]:
        lines[lines.index(empty)] = filled.replace("BACKWARD", backward)
    file.write_text("\n".join(lines) + "\n")


# The command.


def test_four_lines_make_an_adapter_that_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapter", "new.py"]) == 0
    assert "parity check --engine new.py:Mine" in capsys.readouterr().out
    write_module(Path(), "scalars_of_a_test.py", SCALARS)
    _fill_in(Path("new.py"), "retain_graph=retain_graph")
    status = main(["check", "--engine", "new.py:Mine", "--examples", "300"])
    out = capsys.readouterr().out
    assert status == PARITY, out
    assert "300 programs" in out


def test_each_operation_is_there_and_fits_the_contract() -> None:
    main(["adapter", "new.py"])
    lines = Path("new.py").read_text().replace('        # "', '        "')
    names: dict[str, Any] = {}
    exec(compile(lines, "new.py", "exec"), names)
    ops = names["Mine"].ops
    assert set(ops) == set(with_rules())
    for op in map(OPS.__getitem__, with_rules()):
        bound = inspect.signature(ops[op.name]).bind(
            *"abc"[: op.arity or 3], **dict.fromkeys(op.kinds)
        )
        assert not bound.arguments.keys() - {"a", "b", "c", "xs", *op.kinds}


def test_micrograd_itself_with_four_lines_shows_its_faults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["adapter", "mine.py"])
    _fill_in(Path("mine.py"), "")
    file = Path("mine.py")
    file.write_text(file.read_text().replace("scalars_of_a_test", "micrograd.engine"))
    assert main(["check", "--engine", "mine.py:Mine", "--examples", "60"]) == 1
    assert "accumulation: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("filled", "words"),
    [
        (0, "line 13 of new.py: `Tensor` is not filled in"),
        (1, " of new.py: `value` is not filled in"),
        (2, " of new.py: `grad` is not filled in"),
        (3, " of new.py: `backward` is not filled in"),
    ],
)
def test_the_first_line_that_is_not_filled_in_is_named(
    filled: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["adapter", "new.py"])
    write_module(Path(), "scalars_of_a_test.py", SCALARS)
    _fill_in(Path("new.py"), "", filled)
    assert main(["check", "--engine", "new.py:Mine"]) == CANNOT_RUN
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert words in err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("there.py", "exists already"),
        ("folder.py", "exists already"),
        ("no/folder/new.py", "No such file or directory"),
        ("new.txt", "must end with .py"),
    ],
)
def test_what_is_there_is_left_as_it_is(
    name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("there.py").write_text("mine")
    Path("folder.py").mkdir()
    assert main(["adapter", name]) == CANNOT_RUN
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert words in err
    assert Path("there.py").read_text() == "mine"


def test_a_name_with_quotes_is_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    name = """it's "new".py"""
    assert main(["adapter", name]) == 0
    compile(Path(name).read_text(), name, "exec")


# Faults of adapters.


def _without(cls: type[Engine], **changes: Any) -> Engine:
    return type("Mine", (cls,), {"name": "mine", **changes})()


def _with_op(**ops: Any) -> Engine:
    engine = _without(TapeEngine)
    functions = {name: make(engine) for name, make in ops.items()}
    engine.ops = {**engine.ops, **functions}  # type: ignore[misc]
    return engine


class Filling(TapeEngine):
    """Zeroes a copy."""

    def grad(self, t: Any) -> Any:
        return None if t.grad is None else t.grad.copy()

    def zero_grad(self, t: Any) -> None:
        self.grad(t).fill(0)


def _uncopied(self: Any, array: Any, requires_grad: bool = True) -> Any:
    t = TapeEngine.leaf(self, array, requires_grad)
    t.data = array
    return t


BROKEN: dict[str, tuple[Any, str]] = {
    "leaf does not copy": (
        lambda: _without(TapeEngine, leaf=_uncopied),
        "`leaf` does not copy the array",
    ),
    "value is not what was put in": (
        lambda: _without(TapeEngine, value=lambda self, t: t.data * 2),
        "`value` of a leaf is [",
    ),
    "value is the tensor": (
        lambda: _without(TapeEngine, value=lambda self, t: t),
        "`value` returned an object of type Tensor, not an ndarray",
    ),
    "value is None": (
        lambda: _without(TapeEngine, value=lambda self, t: None),
        "`value` returned None, not an ndarray",
    ),
    "grad is the tensor": (
        lambda: _without(TapeEngine, grad=lambda self, t: t),
        "`grad` returned an object of type Tensor, not an ndarray or None",
    ),
    "grad is a tensor after a backward": (
        lambda: _without(TapeEngine, grad=lambda self, t: None if t.grad is None else t),
        "`grad` after a backward: the adapter returned an array of dtype object for a grad",
    ),
    "leaf raises": (
        lambda: _without(TapeEngine, leaf=lambda self, array, requires_grad=True: array.nothing),
        "raised AttributeError",
    ),
    "backward takes no gradient": (
        lambda: _without(TapeEngine, backward=lambda self, t: None),
        "the signature of `backward` differs from Engine.backward: too many positional arguments",
    ),
    "backward takes no flags": (
        lambda: _without(TapeEngine, backward=lambda self, t, gradient=None: None),
        "the signature of `backward` differs from Engine.backward: got an unexpected keyword",
    ),
    "zero_grad fills a copy": (lambda: _without(Filling), "`zero_grad` has no effect"),
    "no_grad is no context manager": (
        lambda: _without(TapeEngine, no_grad=lambda self: None),
        "`no_grad` returned None, not a context manager",
    ),
    "sum takes no keepdims": (
        lambda: _with_op(sum=lambda e: lambda a, *, axis: a),
        'ops["sum"] has another signature than parity calls it with: got an unexpected keyword',
    ),
    "add takes one operand": (
        lambda: _with_op(add=lambda e: lambda a: a),
        'ops["add"] has another signature than parity calls it with: too many positional',
    ),
    "add is not filled in": (
        lambda: _with_op(add=lambda e: lambda a, b: ...),
        "operation `add` is not filled in",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", BROKEN)
def test_a_mistake_of_an_adapter_is_described(way: str) -> None:
    make, words = BROKEN[way]
    with pytest.raises(EngineError) as caught:
        check_adapter(make())
    message = str(caught.value)
    assert message.startswith("adapter of 'mine': ")
    assert words in message
    assert len(message.splitlines()) == 1


def test_an_operation_that_is_not_filled_in_is_named(tmp_path: Path) -> None:
    file = write_module(tmp_path, "mine.py", ADAPTER.replace('self.ops["add"]', "..."))
    with pytest.raises(EngineError, match="operation `sub` is not filled in"):
        load_engine(f"{file}:Mine")


def _divided(engine: Any) -> Any:
    return lambda a, *, c: engine.ops["div_scalar"](a, c=c)


class Multiplies(TapeEngine):
    """As the template for arrays, but for the comparison of the shapes."""

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        product = t if gradient is None else self.ops["mul"](t, self.leaf(gradient, False))
        root = self.ops["sum"](product, axis=None, keepdims=False)
        super().backward(root, None, **flags)


DOUBTFUL: dict[str, tuple[Any, str]] = {
    "sub is a + b": (lambda: _with_op(sub=lambda e: e.ops["add"]), "`sub` computes `add`"),
    "1 / x is x / 1": (
        lambda: _with_op(rdiv_scalar=_divided),
        "`rdiv_scalar` computes `div_scalar`",
    ),
    "sub is b - a": (
        lambda: _with_op(
            sub=lambda e: (lambda sub: lambda a, b: sub(b, a))(e.operation(*e.rules["sub"]))
        ),
        "`sub` computes `sub` with its operands exchanged",
    ),
    "mean is sum": (lambda: _with_op(mean=lambda e: e.ops["sum"]), "`mean` computes `sum`"),
    "an operation gives no array": (
        lambda: _with_op(neg=lambda e: lambda a: type("T", (), {"data": None})()),
        "`neg`: `value` returned None, not an ndarray",
    ),
    "a gradient that does not fit is multiplied": (
        lambda: _without(Multiplies),
        "`backward` multiplies the root by a gradient of another shape",
    ),
    "backward does nothing": (
        lambda: _without(TapeEngine, backward=lambda self, t, gradient=None, **flags: None),
        "no leaf has a gradient after `backward`",
    ),
}


@pytest.mark.parametrize("way", DOUBTFUL)
def test_what_may_be_the_fault_of_the_engine_is_a_warning(way: str) -> None:
    make, words = DOUBTFUL[way]
    (warning,) = check_adapter(make())
    assert warning.startswith("adapter: ")
    assert words in warning
    assert warning.endswith("; check the adapter first")


@pytest.mark.parametrize("way", ["1 / x is x / 1", "sub is b - a"])
def test_the_run_finds_it_too(way: str) -> None:
    make, words = DOUBTFUL[way]
    result = parity.check(make(), examples=400)
    assert result.verdict == "findings"
    assert words in str(result)
    assert words in result.to_json()["warnings"][0]


@pytest.mark.parametrize("name", DEFECTS)
def test_defects_of_engines_are_left_to_the_run(name: str) -> None:
    assert list(remarks(DEFECTS[name](), TORCH)) == []


@pytest.mark.parametrize("name", ["dezero", "torch", "micrograd", "mygrad", "autograd"])
@pytest.mark.filterwarnings("ignore")
def test_built_in_adapters_have_no_mistake(name: str) -> None:
    assert list(remarks(load_engine(name), TORCH)) == []


def test_an_operation_that_is_wrong_in_its_own_way_is_left_to_the_run() -> None:
    """A value that no other operation gives is the engine's."""
    engine = _without(TapeEngine)
    right = engine.ops["exp"]

    def wrong(a: Any) -> Any:
        t = right(a)
        t.data = t.data * np.float64(1.1)
        return t

    engine.ops = {**engine.ops, "exp": wrong}  # type: ignore[misc]
    assert list(remarks(engine, TORCH)) == []


ADAPTER = """
    from parity.diagnose.defects.engine import TapeEngine

    class Mine(TapeEngine):
        name = "mine"

        def __init__(self):
            super().__init__()
            self.ops = {**self.ops, "sub": self.ops["add"]}
"""


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "parity.cli.main", "check", "--examples", "200"],
        ["-m", "pytest", "--pyargs", "parity.suite.test_gradients", "--programs", "200"],
    ],
)
def test_a_run_says_it_and_finds_it(command: list[str], tmp_path: Path) -> None:
    write_module(tmp_path, "mine.py", ADAPTER)
    run = subprocess.run(
        [sys.executable, *command, "--engine", "mine.py:Mine"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "warning: adapter: `sub` computes `add`; check the adapter first" in run.stdout
    assert "verdict: findings" in run.stdout
