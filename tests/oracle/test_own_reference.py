"""``--reference self``: an engine is judged by its own forward."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from parity.cli.main import main
from parity.engines.adapters.torch import Torch, with_gradient
from parity.engines.execute import execute
from parity.engines.open import open_engines
from parity.engines.runner import as_runner
from parity.generate.schedule import decoders_of, stream
from parity.language import program as pr
from parity.oracle.check import check_program, check_programs
from parity.oracle.compare import compare
from parity.oracle.own_reference import OwnReference
from parity.oracle.own_verdict import own_verdict
from tests.helpers.programs import DEZERO, TORCH, apply, leaf, program, sample

SEED = leaf([1.0, 2.0])
EXP = program([leaf([1.0, 0.5])], apply("exp", 0), pr.Backward(1, SEED))


class Halved(Torch):
    """PyTorch with half the gradient of ``exp`` and of ``cumprod``, and none of ``relu`` at 0."""

    name = "halved"

    def __init__(self) -> None:
        super().__init__()
        exp, relu, cumprod = (self.ops[name] for name in ("exp", "relu", "cumprod"))
        self.ops = {  # type: ignore[misc]
            **{name: self.ops[name] for name in ("add", "mul", "sum", "sin")},
            "exp": lambda a: exp(with_gradient(a, lambda g: g / 2)),
            "cumprod": lambda a, *, axis: cumprod(with_gradient(a, lambda g: g / 2), axis=axis),
            "relu": lambda a: relu(with_gradient(a, lambda g: g + 9 * (a == 0))),
        }


class Fails(Torch):
    """PyTorch, whose backward raises, or raises for the operands."""

    name = "fails"

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        raise RuntimeError("no backward")


class Another(Torch):
    """PyTorch with ``cosh`` in place of ``exp``: a right gradient of another function."""

    name = "another"

    def __init__(self) -> None:
        super().__init__()
        self.ops = {**self.ops, "exp": self.ops["cosh"], "cumprod": self.ops["cumsum"]}  # type: ignore[misc]


def found(case: pr.Program, engine: Torch) -> Any:
    runner = as_runner(engine)
    return check_program(case, runner, OwnReference(runner))


def test_a_wrong_gradient_is_found_with_the_right_numbers() -> None:
    finding = found(EXP, Halved())
    assert (finding.kind, finding.what) == ("gradient", "grad")
    np.testing.assert_allclose(finding.reference, np.exp([1.0, 0.5]) * [1, 2], rtol=1e-6)
    np.testing.assert_allclose(finding.engine, finding.reference / 2, rtol=1e-6)


def test_only_the_wrong_entries_are_replaced() -> None:
    case = program(
        [leaf([0.0, 1.0, -1.0])], apply("relu", 0), pr.Backward(1, leaf([1.0, 2.0, 3.0]))
    )
    finding = found(case, Halved())
    assert finding.engine.tolist() == [9.0, 2.0, 0.0]
    assert finding.reference.tolist()[1:] == [2.0, 0.0]
    assert 0 <= finding.reference[0] <= 1


def test_a_gradient_of_several_passes_is_corrected_by_the_last() -> None:
    case = program([leaf(1.0)], apply("sin", 0), pr.Backward(1), apply("exp", 0), pr.Backward(2))
    finding = found(case, Halved())
    assert finding.statement == 3
    np.testing.assert_allclose(finding.reference, np.cos(1) + np.exp(1), rtol=1e-6)


def test_a_right_engine_is_in_parity() -> None:
    for engine in (TORCH, DEZERO, Another()):
        assert found(EXP, engine) is None
    for profile in ("gradients", "second-order", "errors", "modes"):
        for case in sample(profile, 15):
            assert found(case, DEZERO) is None, case


def test_a_backward_that_raises_is_found() -> None:
    finding = found(EXP, Fails())
    assert (finding.what, finding.statement) == ("exception", 1)


@pytest.mark.parametrize(
    "statements",
    [
        (apply("exp", 0), pr.Backward(1)),  # PyTorch refuses it as well: no gradient is given
        (apply("exp", 0), pr.Detach(1), pr.Backward(2, SEED)),
        (apply("exp", 0, no_grad=True), pr.Backward(1, SEED)),
    ],
)
def test_a_backward_that_may_raise_is_no_finding(statements: tuple[pr.Statement, ...]) -> None:
    assert found(program([leaf([1.0, 0.5])], *statements), Fails()) is None


def test_dezero_is_in_parity_with_itself(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "--engine", "dezero", "--reference", "self", "--examples", "60"]
    assert main([*arguments, "--ops", "add,mul,exp,sum,matmul,max,relu"]) == 0
    assert "parity: no difference in 60 programs" in capsys.readouterr().out


def test_the_reference_is_the_engine_that_is_opened() -> None:
    runner, reference = open_engines("dezero", "self", check=False)
    assert isinstance(reference, OwnReference)
    assert reference.runner is runner
    assert reference.name == "its own forward"


def test_wrong_gradients_are_found_in_generated_programs_and_nothing_else() -> None:
    runner = as_runner(Halved())
    cases = itertools.islice(stream(decoders_of(runner, ("mul", "exp", "cumprod")), 0), 60)
    checked = check_programs(cases, runner, OwnReference(runner))
    seen = [(case, finding) for case, finding in checked if finding is not None]
    assert len(seen) > 5
    for case, finding in seen:
        assert finding.what == "grad"
        assert {s.op for s in case.statements if isinstance(s, pr.Apply)} & {"exp", "cumprod"}


CUMPROD = program([leaf([2.0, 3.0])], apply("cumprod", 0, axis=0), pr.Backward(1, leaf([1.0, 0.5])))


@pytest.mark.parametrize(
    ("engine", "wrong", "words"),
    [
        (Halved(), "engine", "the gradient is wrong by the engine's own forward"),
        (Another(), "engine", "it is another function than PyTorch's"),
        (Fails(), "engine", "PyTorch computes it"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_verdict_on_operations_without_exact_rules(
    engine: Torch, wrong: str, words: str
) -> None:
    finding = check_program(CUMPROD, engine, TORCH)
    assert finding is not None
    verdict = own_verdict(CUMPROD, finding, engine, TORCH)
    assert (verdict.wrong, verdict.note) == (wrong, words)


def test_the_verdict_names_the_reference_where_it_is_wrong() -> None:
    finding = check_program(CUMPROD, TORCH, Halved())
    assert finding is not None
    verdict = own_verdict(CUMPROD, finding, TORCH, Halved())
    assert (verdict.wrong, verdict.note) == (
        "reference",
        "PyTorch's gradient is wrong by its own forward",
    )


class Defined(Torch):
    """PyTorch with a second derivative of ``cdist``, which PyTorch itself lacks."""

    name = "defined"

    def __init__(self) -> None:
        super().__init__()
        plain = lambda a, b, *, p: (a[..., :, None, :] - b[..., None, :, :]).norm(p, -1)  # noqa: E731
        self.ops = {**self.ops, "cdist": plain}  # type: ignore[misc]


def test_a_second_derivative_that_pytorch_lacks_is_no_finding() -> None:
    case = program(
        [leaf([[1.0, 2.0], [0.5, 3.0]]), leaf([[4.0, 1.0]])],
        apply("cdist", 0, 1, p=2.0),
        apply("sum", 2, axis=None, keepdims=False),
        pr.Backward(3, create_graph=True),
        pr.TakeGrad(0),
        apply("sum", 4, axis=None, keepdims=False),
        pr.Backward(5),
    )
    theirs, ours = execute(case, TORCH), execute(case, Defined())
    assert theirs.unsupported == "some second derivatives"
    assert ours.failure is None
    assert compare(case, ours, theirs) is None
    assert compare(case, theirs, ours) is None
