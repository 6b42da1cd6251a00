"""Defects that come now and then: the same program is wrong in some runs only."""

from __future__ import annotations

import itertools
import random
from typing import Any

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Tensor


class _NowAndThen(Defect):
    """Adds one to the gradients of a backward in which ``comes`` is true."""

    flaky = True
    smallest = program("x0 = leaf(3.0)", "backward(x0)")
    code = "np.empty(shape)"
    mend = "np.zeros(shape); look for races between threads, and for random numbers"

    def comes(self) -> bool:
        raise NotImplementedError

    def finish(self, grads: dict[Tensor, Any]) -> None:
        if self.comes():
            grads = {t: g if isinstance(g, Tensor) else g + 1 for t, g in grads.items()}
        super().finish(grads)


class EveryFiftiethBackward(_NowAndThen):
    name = "every-fiftieth-backward"
    description = "the gradients of every fiftieth backward are too large by one"

    def __init__(self) -> None:
        super().__init__()
        self.backwards = itertools.count(1)

    def comes(self) -> bool:
        return next(self.backwards) % 50 == 0


class OneBackwardInAHundred(_NowAndThen):
    name = "one-backward-in-a-hundred"
    description = "the gradients of one backward in a hundred, at random, are too large by one"

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(0)

    def comes(self) -> bool:
        return self.random.random() < 0.01
