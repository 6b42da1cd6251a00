"""Measures which wrong gradients each judge finds, and writes the table of docs/oracles.md.

``python -m tests.detection [-o FILE]`` from the root of the repository, in about two minutes.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from parity._util.markdown import table
from parity._util.process import fuzzing_runtime
from parity.campaign.row_faults import FAULTS, Change, Faulty
from parity.engines.adapters.torch import Torch
from parity.engines.runner import LocalRunner
from parity.language import program as pr
from parity.language.draws import Draw, draw
from parity.language.table import OPS, keywords
from parity.oracle.check import check_program
from parity.oracle.neighbours import Surroundings
from parity.oracle.own_forward import Outcome
from parity.oracle.own_programs import question_of
from parity.oracle.own_reference import OwnReference

PAGE = Path(__file__).resolve().parents[1] / "docs" / "oracles.md"
START, END = "<!-- measured -->\n", "<!-- end -->\n"
#: Points of each operation; half of them have zeros and ties where the domain does.
POINTS = 8
OPERATIONS = (
    *("elu", "hypot", "huber_loss", "cumprod", "cummax", "sort"),
    *("layer_norm", "solve", "conv2d", "scatter_amax"),
)
#: ``gradcheck``, then the comparison with PyTorch, the own forward, the gradients around, and
#: these two together.
JUDGES = ("gradcheck", "PyTorch", "forward", "around", "self")
_WRONG = (Surroundings.ISOLATED, Surroundings.OUTSIDE)


def _times(factor: float) -> Change:
    return lambda gs, xs: [factor * g for g in gs]


def _transposed(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    return [g.mT.reshape(g.shape) if g.ndim > 1 else g for g in gs]


def _without_factor(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    x = xs[0]
    return [torch.where(x == 0, gs[0], gs[0] / x), *gs[1:]]


def _nan_at_zero(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    return [torch.where(x == 0, torch.nan, g) for g, x in zip(gs, xs, strict=True)]


DEFECTS: dict[str, Change] = {
    **FAULTS,
    "it has the other sign": _times(-1.0),
    "it is transposed": _transposed,
    "a factor, the operand, is missing": _without_factor,
    "it is nan where an operand is 0": _nan_at_zero,
    "it is wrong by 1e-3 of its size": _times(1 + 1e-3),
    "it is wrong by 1e-6 of its size": _times(1 + 1e-6),
    "it is wrong by 1e-9 of its size": _times(1 + 1e-9),
}

#: For each point the judges that say "wrong".
Said: TypeAlias = list[frozenset[str]]


@dataclass
class Counts:
    """How many operations a defect changes, and on how many of them each judge finds it."""

    operations: int = 0
    found: Counter[str] = field(default_factory=Counter)


def points(name: str) -> list[Draw]:
    """Return points at which an operation is judged."""
    drawn = (draw(OPS[name], random.Random(k), grid=k % 2 == 1) for k in range(10 * POINTS))
    return [d for d in drawn if d is not None and min(map(np.prod, d.shapes)) > 1][:POINTS]


def program_of(drawn: Draw) -> pr.Program:
    """Return the operation with one backward from a gradient that is not uniform."""
    apply = pr.Apply(drawn.op.name, tuple(range(len(drawn.leaves))), drawn.attrs)
    (info,) = apply.results([leaf.info() for leaf in drawn.leaves])
    numbers = np.random.default_rng(0).uniform(0.5, 2.0, info.shape)
    gradient = pr.Constant(info.shape, tuple(numbers.ravel().tolist()), info.dtype)
    return pr.Program(drawn.leaves, (apply, pr.Backward(len(drawn.leaves), gradient)))


def passes_gradcheck(engine: Torch, drawn: Draw) -> bool:
    """Return whether ``torch.autograd.gradcheck`` accepts an operation at a point."""
    function, attrs = engine.ops[drawn.op.name], keywords(drawn.op.name, drawn.attrs)
    leaves = [torch.tensor(leaf.array(), requires_grad=True) for leaf in drawn.leaves]
    try:
        return torch.autograd.gradcheck(lambda *xs: function(*xs, **attrs), leaves)
    except RuntimeError:  # GradcheckError is one
        return False


def judges_at(engine: Torch, drawn: Draw) -> frozenset[str]:
    """Return the judges that say that the gradient at a point is wrong."""
    program, runner = program_of(drawn), LocalRunner(engine)
    question = question_of(program, runner.run(program), runner)
    source = np.random.default_rng(0)
    said = {
        "gradcheck": not passes_gradcheck(engine, drawn),
        "PyTorch": check_program(program, runner, Torch()) is not None,
        "forward": question is not None and question.judged(source).outcome is Outcome.WRONG,
        "around": question is not None and question.placed(source).surroundings in _WRONG,
        "self": check_program(program, runner, OwnReference(runner)) is not None,
    }
    return frozenset(judge for judge, wrong in said.items() if wrong)


def is_changed(engine: Torch, drawn: Draw) -> bool:
    """Return whether a defect changes the gradient at a point, in any bit."""
    program = program_of(drawn)
    ours, right = (
        [np.nan_to_num(o.array, nan=1e9) for o in run.observations if o.array is not None]
        for run in (LocalRunner(e).run(program) for e in (engine, Torch()))
    )
    return len(ours) != len(right) or any((a != b).any() for a, b in zip(ours, right, strict=True))


def measured(operations: Sequence[str], defects: Sequence[str]) -> tuple[Counts, dict[str, Counts]]:
    """Return how often right gradients are called wrong, by points, and how defects are found.

    A defect is found on an operation if it is reported at a point at which the right gradient is
    not.
    """
    right, wrong = Counts(), {defect: Counts() for defect in defects}
    with fuzzing_runtime():
        for name in operations:
            drawn = points(name)
            expected = [judges_at(Torch(), d) for d in drawn]
            right.operations += len(drawn)
            right.found.update(judge for said in expected for judge in said)
            for defect, counts in wrong.items():
                engine = Faulty(OPS[name], DEFECTS[defect])
                changed = [
                    (d, e) for d, e in zip(drawn, expected, strict=True) if is_changed(engine, d)
                ]
                said = (judges_at(engine, d) - e for d, e in changed)
                counts.operations += bool(changed)
                counts.found.update(frozenset().union(*said))
    return right, wrong


def markdown(right: Counts, wrong: dict[str, Counts]) -> str:
    """Return the table of the page."""
    header = ("gradient", "of", "gradcheck", "A", "B", "C", "B and C")
    rows = [
        (label, counts.operations, *(counts.found[judge] for judge in JUDGES))
        for label, counts in [*wrong.items(), ("right gradients, points", right)]
    ]
    names = ", ".join(f"`{name}`" for name in OPERATIONS)
    lines = table(header, rows, "lrrrrrr")
    version = torch.__version__.partition("+")[0]
    return "\n".join(("", *lines, "", f"Operations: {names}. PyTorch {version}.", ""))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the table into the page between its marks."""
    parser = argparse.ArgumentParser(prog="python -m tests.detection", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    text = markdown(*measured(OPERATIONS, list(DEFECTS)))
    marked = re.compile(f"(?<={re.escape(START)}).*(?={re.escape(END)})", re.DOTALL)
    page = marked.sub(lambda _: text, options.output.read_text(encoding="utf-8"))
    options.output.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
