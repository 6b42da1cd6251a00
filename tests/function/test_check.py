"""``parity.check_function`` on functions that are wrong in one way, and on right ones."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity._util.errors import UsageError
from parity.function.causes import CAUSES
from tests.helpers.wrong_functions import (
    RIGHT,
    WRONG,
    ChangesUpstream,
    Example,
    NoChain,
    NumpyBackward,
    Product,
    Square,
)


def _ids(examples: tuple[Example, ...]) -> list[str]:
    return [example.name for example in examples]


@pytest.mark.parametrize("example", WRONG, ids=_ids(WRONG))
def test_a_wrong_function_has_one_finding_by_the_check_that_is_there_for_it(
    example: Example,
) -> None:
    result = parity.check_function(example.f, *example.shapes)
    assert (result.ok, result.verdict) == (False, "findings")
    assert [f.check for f in result.findings] == [example.check]
    assert all(f.cause and f.mend for f in result.findings)


@pytest.mark.parametrize("example", RIGHT, ids=_ids(RIGHT))
def test_a_right_function_has_none(example: Example) -> None:
    result = parity.check_function(example.f, *example.shapes)
    assert (result.ok, result.verdict, result.findings) == (True, "parity", [])
    assert str(result).splitlines()[-1].startswith("verdict: parity: 0 findings; ")


def test_the_smallest_inputs_the_numbers_and_the_cause_are_told() -> None:
    (finding,) = parity.check_function(NoChain.apply, (4, 3)).findings
    assert finding.says == "the gradient of input 0 is wrong where the upstream gradient is not 1"
    assert [a.size for a in finding.inputs] == [1]
    assert finding.expected == pytest.approx(2 * finding.inputs[0] * finding.seeds[0])
    assert finding.actual == pytest.approx(2 * finding.inputs[0])
    assert finding.cause == "backward does not multiply by the upstream gradient"


def test_the_result_as_text_and_as_json(tmp_path: Path) -> None:
    result = parity.check_function(NoChain.apply, (3,), findings=tmp_path)
    text = str(result)
    assert text.startswith("NoChain.apply against the slopes of its own values\n\n")
    for words in ("  expected: [", "  typical cause: ", "  how to mend it: ", "  script: "):
        assert words in text
    assert text.splitlines()[-1].startswith("verdict: findings: 1 finding; ")
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["verdict"] == "findings"
    assert data["findings"][0]["actual"] == result.findings[0].actual.tolist()
    assert Path(data["findings"][0]["file"]).read_text() == result.findings[0].script


def test_the_same_seed_gives_the_same_result() -> None:
    first, again = (parity.check_function(NumpyBackward.apply, (3,), seed=3) for _ in range(2))
    assert first.to_json() == again.to_json()


def _square(x: Any, factor: float = 1.0) -> Any:
    return factor * x * x


def test_a_reference_judges_values_and_gradients() -> None:
    right = parity.check_function(Square.apply, (3,), reference=_square)
    assert right.ok
    (wrong,) = parity.check_function(NoChain.apply, (3,), reference=_square).findings
    assert wrong.note == "expected is the gradient of the reference"
    twice = functools.partial(_square, factor=2.0)
    found = parity.check_function(Square.apply, (3,), reference=twice, order=1).findings
    assert [f.check for f in found] == ["values", "first order"]


def test_a_reference_has_another_convention_at_a_kink() -> None:
    def at_zero_one(x: Any) -> Any:
        return torch.where(x >= 0, x, 0.0)

    assert parity.check_function(torch.relu, (3,), reference=at_zero_one, order=1).ok


def test_a_gradient_that_is_another_one_on_purpose_needs_a_reference() -> None:
    class Straight(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.round()

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad.clone()

    assert not parity.check_function(Straight.apply, (3,)).ok
    said = parity.check_function(
        Straight.apply, (3,), reference=lambda x: x + (x.round() - x).detach()
    )
    assert said.ok, str(said)


def test_a_constant_of_float32_is_told_with_numbers_that_differ() -> None:
    class Tenth(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 0.1

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * torch.tensor(0.1, dtype=torch.float32).double()

    (finding,) = parity.check_function(Tenth.apply, (3,)).findings
    assert finding.cause.startswith("a constant of float32")
    lines = [line.partition(": ") for line in str(finding).splitlines()]
    expected, actual = (t for name, _, t in lines if name in ("  expected", "  actual"))
    assert expected != actual


def test_without_second_order() -> None:
    assert parity.check_function(NumpyBackward.apply, (3,), order=1).ok


def test_what_a_function_refuses_is_not_tested() -> None:
    result = parity.check_function(RIGHT[2].f, (3,))
    said = "\n".join(result.untested)
    for words in ("second order: ", "once_differentiable", "bfloat16: ", "forward mode: "):
        assert words in said
    assert "compile: pass compile=True, which takes seconds" in result.untested


def test_sizes_that_a_function_refuses_are_not_tested() -> None:
    def even(x: Any) -> Any:
        assert len(x) % 2 == 0, "an even length"
        return x * x

    result = parity.check_function(even, (4,))
    assert result.ok
    assert "inputs of shapes [(1,)], [(3,)], [(17,)], [(33,)]: AssertionError" in str(result)


def test_a_function_that_changes_what_it_is_given_ends_the_check() -> None:
    result = parity.check_function(ChangesUpstream.apply, (3,))
    assert result.untested[-1] == "all else, until this is mended"


def test_inputs_of_which_only_one_is_positive_are_not_made_equal() -> None:
    def power(x: Any, y: Any) -> Any:
        assert bool((y > 0).all()), "positive numbers"
        return x * y.log()

    result = parity.check_function(power, (3,), (3,), domain="R, P")
    assert result.ok, str(result)


def test_whole_numbers_are_no_sign_of_float32() -> None:
    assert not any("float32" in text for text in parity.check_function(torch.round, (3,)).untested)


def test_a_function_of_float32_is_judged_in_float32() -> None:
    def single(x: Any) -> Any:
        return (x.float().sin() * 2).to(x.dtype)

    def only(x: Any) -> Any:
        assert x.dtype == torch.float32, "float32 alone"
        return WRONG[0].f(x)

    right = parity.check_function(single, (3,))
    assert right.ok
    assert right.untested[0] == "float64: the function computes in float32 there"
    wrong = parity.check_function(only, (3,))
    assert [f.check for f in wrong.findings] == ["first order"]
    assert "float32" in wrong.findings[0].script


def test_examples_are_inputs_and_integers_stay() -> None:
    seen: list[Any] = []

    def pick(x: Any, index: Any) -> Any:
        seen.append((tuple(x.shape), index.tolist()))
        return x[index] ** 2

    result = parity.check_function(pick, torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2, 0]))
    assert result.ok
    assert {index for _, (*_, index) in seen} == {0}
    assert not {shape for shape, _ in seen} & {(2,), (17,)}


def test_the_gradient_of_a_function_of_random_numbers_cannot_be_judged() -> None:
    result = parity.check_function(lambda x: x * torch.rand(x.shape), (3,))
    assert [f.check for f in result.findings] == ["repeated"]


def test_a_backward_that_raises_is_a_finding_also_for_some_sizes() -> None:
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            assert grad.numel() < 17, "a block of 16"
            return grad * 2

    (finding,) = parity.check_function(Fails.apply, (3,)).findings
    assert finding.says == "the backward raises at inputs of shape (17,)"
    assert finding.actual.startswith("AssertionError: a block of 16")


def test_compile_is_tried_if_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda f, backend: lambda *xs: 2 * f(*xs))
    (finding,) = parity.check_function(Square.apply, (3,), compile=True).findings
    assert finding.says == "output 0 is wrong under torch.compile"


def test_infinite_gradients_where_the_slope_is_infinite_are_right() -> None:
    assert parity.check_function(torch.sqrt, torch.zeros(2), domain="N").ok


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((), {}, "needs a shape or a tensor"),
        ((3,), {}, "an input is a shape, such as (2, 3), or a tensor, not 3"),
        (((3,),), {"domain": "?"}, "there is no domain '?'"),
        (((3,), (3,)), {"domain": "R, R, R"}, "3 domains for 2 operands"),
        (((3,),), {"framework": "nothing"}, "there is no framework 'nothing'"),
        (((3,), (4,)), {}, "the function cannot be tested: "),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(
    arguments: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as error:
        parity.check_function(Product.apply, *arguments, **options)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_every_check_has_a_cause() -> None:
    result = parity.check_function(Square.apply, (2,))
    assert {*result.checked} - {"first order"} <= CAUSES.keys()
    assert np.all([c.text and c.mend for c in CAUSES.values()])
