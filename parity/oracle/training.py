"""Training runs of small networks on an engine and PyTorch, compared step by step.

The engine's own optimizer updates the parameters. Gradients are set to None, zeroed or kept
between steps. Parameters and gradients are compared after each step, with error bounds from
perturbed runs of PyTorch as in ``parity.oracle.tolerance``.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.engines.base import Engine
from parity.engines.runner import AnyEngine, EngineStopped, as_runner
from parity.oracle.tolerance import SAMPLES, sampled_bound

#: Operations that a training run uses.
NEEDS = ("matmul", "add", "sub", "mul", "sum", "tanh", "sigmoid", "relu")
OPTIMIZERS = ("sgd", "momentum", "adam")
CLEARS = ("none", "zero", "forget")


@dataclass(frozen=True)
class TrainingRun:
    """A multi-layer perceptron, its data and how it is trained."""

    #: Input size, hidden sizes and output size.
    sizes: tuple[int, ...]
    activation: str
    optimizer: str
    lr: float
    #: What is done with gradients after each step: "none" sets them to None, "zero" zeroes them,
    #: "forget" keeps them.
    clears: tuple[str, ...]
    #: Of the data and the parameters.
    seed: int

    @staticmethod
    def draw(source: random.Random) -> TrainingRun:
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
        """Train on an engine and return parameters and gradients after each step."""
        rng = np.random.default_rng(self.seed)
        ops = engine.ops
        x = engine.leaf(rng.standard_normal((3, self.sizes[0])), False)
        target = engine.leaf(rng.standard_normal((3, self.sizes[-1])), False)
        params = []
        for n, m in zip(self.sizes, self.sizes[1:], strict=False):
            params += [engine.leaf(rng.standard_normal((n, m))), engine.leaf(np.zeros(m))]
        optimizer = engine.optimizer(self.optimizer, params, self.lr)
        observed: list[NDArray[Any]] = []
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
                observed += [np.array(engine.value(p)), np.array(engine.grad(p))]
            if clear != "forget":
                optimizer.zero_grad(set_to_none=clear == "none")
        return observed

    def difference(self, engine: AnyEngine, reference: Engine) -> str | None:
        """Describe the first difference that rounding does not explain; None if there is none."""
        try:
            ours = as_runner(engine).call("parity.oracle.training:trace_of", asdict(self))
        except EngineStopped as end:
            return f"{end.kind}: {end}\n{self}"
        theirs = self.trace(reference)
        if [np.shape(a) for a in ours] != [b.shape for b in theirs]:
            return f"the values and gradients of the parameters have other shapes\n{self}"
        pairs = list(zip(ours, theirs, strict=True))
        if all(np.array_equal(a, b) for a, b in pairs):
            return None
        unit, accumulations = 2.0**-53, 4 * len(self.clears)
        from parity.oracle.perturbed import Perturbed  # PyTorch, only where it is needed

        base = self.trace(Perturbed(0.0, accumulations, 0))
        engines = [Perturbed(unit, accumulations, k + 1) for k in range(SAMPLES)]
        samples = [self.trace(e) for e in engines]
        for index, (a, b) in enumerate(pairs):
            bound = sampled_bound(base[index], [s[index] for s in samples], engines[0].count)
            allowed = bound + 64 * unit * np.abs(b)
            if not np.all(np.abs(a - b) <= allowed):
                step, what = divmod(index, len(theirs) // len(self.clears))
                kind = "the gradient" if what % 2 else "the value"
                return f"step {step}: {kind} of parameter {what // 2} is {a}, PyTorch's {b}\n{self}"
        return None


def trace_of(engine: Engine, fields: dict[str, Any]) -> list[NDArray[Any]]:
    """Call ``TrainingRun.trace`` of a run in JSON-like data; called in the engine's process."""
    frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return TrainingRun(**frozen).trace(engine)
