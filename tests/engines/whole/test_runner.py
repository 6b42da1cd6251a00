"""Batches of whole programs: what is observed, and how a batch that fails is halved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from parity.engines.adapters.torch_whole import TorchWhole
from parity.engines.load import EngineError, load_engine
from parity.engines.runner import LocalRunner
from parity.engines.whole.runner import WholeRunner
from parity.engines.whole.source import FunctionSource
from parity.language.program import Program
from parity.language.text_format import program_from_text
from parity.oracle.check import check_programs

PLAIN = "x0 = leaf([3.0, 2.0])\nx1 = mul(x0, x0)\nbackward(x1, gradient=[1.0, 2.0])"
BAD = PLAIN.replace("mul(x0, x0)", "sub(x0, x0)")
TWO_ROOTS = """\
x0 = leaf([3.0, 2.0])
x1 = leaf(2.0)
x2 = mul(x0, x1)  # form argument
x3 = add(x2, x1)
del x2
backward(x3, gradient=[1.0, 2.0], retain_graph=True)
backward(x3, gradient=[1.0, 1.0], retain_graph=True)
backward(x0, gradient=[1.0, 1.0])
x0 = earlier([5.0, 2.0], requires_grad=False)
x1 = earlier(7.0)"""


class RefusesSub(TorchWhole):
    """Raises where it compiles a subtraction."""

    def function_of(self, sources: Sequence[FunctionSource]) -> Callable[..., Any]:
        if any("sub(" in line for source in sources for line in source.lines):
            raise RuntimeError("no sub")
        return super().function_of(sources)


def runner_of(engine: TorchWhole) -> WholeRunner:
    return WholeRunner(LocalRunner(engine))


def findings(runner: WholeRunner, *texts: str) -> list[Any]:
    programs = [program_from_text(text) for text in texts]
    return [f for _, f in check_programs(programs, runner, load_engine("torch"))]


def test_whole_programs_agree_with_the_reference_step_by_step() -> None:
    assert findings(runner_of(TorchWhole()), PLAIN, TWO_ROOTS, BAD) == [None] * 3


def test_the_last_gradients_and_unread_results_are_observed() -> None:
    trace = runner_of(TorchWhole()).run(program_from_text(TWO_ROOTS))
    seen = {o[:3]: o.array for o in trace.observations}
    assert set(seen) == {(1, "value", 3), (5, "grad", 0), (5, "grad", 1)}
    assert seen[5, "grad", 0].tolist() == [5.0, 7.0]


def test_a_batch_that_raises_is_halved() -> None:
    runner = runner_of(RefusesSub())
    found = findings(runner, PLAIN, PLAIN, BAD, PLAIN)
    assert [f and f.kind for f in found] == [None, None, "exception", None]
    assert runner.counts["batches that failed as a whole"] == 2


def test_programs_of_one_function_do_not_share_names() -> None:
    programs: list[Program] = [program_from_text(PLAIN)] * 3
    traces = [t for runs in runner_of(TorchWhole()).run_many(programs) for _, t in runs]
    assert len({t.result() for t in traces if t is not None}) == 1


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("torch.compile:backend=inductro", "did you mean inductor"),
        ("torch.compile:back=eager", "no option"),
        ("torch.compile:backend=eager,backend=eager", "twice"),
        ("torch.compile:backend=__import__('os')", "unknown"),
    ],
)
def test_options_are_data(spec: str, says: str) -> None:
    with pytest.raises(EngineError, match=says):
        load_engine(spec)
