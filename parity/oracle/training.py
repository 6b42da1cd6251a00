"""Whole training runs of small networks, compared step by step.

Parameters are updated by the engine's own optimizer, gradients cleared in either
way or not at all. What is compared after each step are the parameters and their
gradients; how far they may differ comes from disturbed runs of PyTorch, as in
``parity.oracle.tolerance``.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.engines.base import Engine
from parity.engines.runner import AnyEngine, as_runner
from parity.oracle.perturbed import UNIT_ROUNDOFF, Perturbed
from parity.oracle.tolerance import SAMPLES, sampled_bound

#: What a run needs of an engine.
NEEDS = ("matmul", "add", "sub", "mul", "sum", "tanh", "sigmoid", "relu")
OPTIMIZERS = ("sgd", "momentum", "adam")
CLEARS = ("none", "zero", "forget")


@dataclass(frozen=True)
class TrainingRun:
    """A network, its data and how it is trained."""

    sizes: tuple[int, ...]
    activation: str
    optimizer: str
    lr: float
    clears: tuple[str, ...]
    seed: int

    @staticmethod
    def draw(source: random.Random) -> TrainingRun:
        """A random run of up to six steps."""
        sizes = tuple(source.randint(1, 4) for _ in range(source.randint(2, 4)))
        return TrainingRun(
            sizes,
            source.choice(("tanh", "sigmoid", "relu")),
            source.choice(OPTIMIZERS),
            source.choice((0.1, 0.01)),
            tuple(source.choice(CLEARS) for _ in range(source.randint(2, 6))),
            source.randrange(2**31),
        )

    def trace(self, engine: Engine) -> list[NDArray[Any]]:
        """Parameters and gradients after each step."""
        numbers = np.random.default_rng(self.seed)
        ops = engine.ops
        x = engine.leaf(numbers.standard_normal((3, self.sizes[0])), False)
        target = engine.leaf(numbers.standard_normal((3, self.sizes[-1])), False)
        params = []
        for n, m in zip(self.sizes, self.sizes[1:], strict=False):
            params += [engine.leaf(numbers.standard_normal((n, m))), engine.leaf(np.zeros(m))]
        optimizer = engine.optimizer(self.optimizer, params, self.lr)
        seen: list[NDArray[Any]] = []
        for clear in self.clears:
            h = x
            for i in range(0, len(params), 2):
                h = ops["add"](ops["matmul"](h, params[i]), params[i + 1])
                if i + 2 < len(params):
                    h = ops[self.activation](h)
            diff = ops["sub"](h, target)
            engine.backward(ops["sum"](ops["mul"](diff, diff), axis=None, keepdims=False))
            optimizer.step()
            for p in params:
                seen += [np.array(engine.value(p)), np.array(engine.grad(p))]
            if clear != "forget":
                optimizer.zero_grad(set_to_none=clear == "none")
        return seen

    def difference(self, engine: AnyEngine, reference: Engine) -> str | None:
        """Where the runs differ by more than rounding explains, or None."""
        ours = as_runner(engine).call("parity.oracle.training:trace_of", asdict(self))
        theirs = self.trace(reference)
        pairs = list(zip(ours, theirs, strict=True))
        if all(np.array_equal(a, b) for a, b in pairs):
            return None
        unit, folds = UNIT_ROUNDOFF["float64"], 4 * len(self.clears)
        base = self.trace(Perturbed(0.0, folds, 0))
        engines = [Perturbed(unit, folds, k + 1) for k in range(SAMPLES)]
        samples = [self.trace(e) for e in engines]
        for place, (a, b) in enumerate(pairs):
            bound = sampled_bound(base[place], [s[place] for s in samples], engines[0].count)
            allowed = bound + 64 * unit * np.abs(b)
            if not np.all(np.abs(a - b) <= allowed):
                step, what = divmod(place, len(theirs) // len(self.clears))
                kind = "the gradient" if what % 2 else "the value"
                return f"step {step}: {kind} of parameter {what // 2} is {a}, PyTorch's {b}\n{self}"
        return None


def trace_of(engine: Engine, fields: dict[str, Any]) -> list[NDArray[Any]]:
    """``TrainingRun.trace`` for a run given as plain data."""
    frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return TrainingRun(**frozen).trace(engine)
