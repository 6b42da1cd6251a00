"""Defects of modes: no_grad, detach and requires_grad."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Tensor


class NoGradNotRestored(Defect):
    description = "after an exception under no_grad nothing is recorded any more"
    probe = "no-grad-exception"
    code = "recording = False; yield; recording = before"
    mend = "recording = False; try: yield; finally: recording = before"

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        outer, self.recording = self.recording, False
        yield  # without try and finally
        self.recording = outer


class NestedNoGrad(Defect):
    description = "leaving a no_grad inside another one switches recording on again"
    seen = "PyTorch#10858"
    probe = "no-grad"
    code = "recording = False; yield; recording = True"
    mend = "before, recording = recording, False; yield; recording = before"

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        self.recording = False
        try:
            yield
        finally:
            self.recording = True


class NestedNoGradKept(Defect):
    description = "after a no_grad inside another one nothing is recorded any more"
    probe = "no-grad"
    code = "the mode before is kept in one place of the engine"
    mend = "keep it in a local variable of each no_grad"

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        self.kept, self.recording = self.recording, False  # the inner one overwrites the outer mode
        try:
            yield
        finally:
            self.recording = self.kept


class DetachPropagates(Defect):
    description = "gradients flow through a detached value"
    smallest = program("x0 = leaf(3.0)", "x1 = detach(x0)", "x2 = add(x0, x1)", "backward(x2)")
    code = "def detach(self): return self"
    mend = "def detach(self): return Tensor(self.data)"

    def detach(self, t: Tensor) -> Tensor:
        return t


class ConstantGetsGradient(Defect):
    description = "a leaf with requires_grad=False gets a gradient"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = leaf(3.0, requires_grad=False)", "x2 = add(x0, x1)", "backward(x2)"
    )
    code = "for x, gx in zip(f.inputs, gxs): x.grad = gx"
    mend = "skip each x without x.requires_grad"

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        return super().leaf(array)


class NoGradIgnored(Defect):
    description = "operations under no_grad are recorded, and gradients flow through them"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = neg(x0)  # under no_grad", "x2 = add(x0, x1)", "backward(x2)"
    )
    code = "no_grad = contextlib.nullcontext"
    mend = "record an operation only if recording is on"

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        yield
