"""Defects of modes: no_grad, detach and requires_grad."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Tensor


class NoGradNotRestored(Defect):
    description = "after an exception under no_grad nothing is recorded any more"
    probe = "no-grad-exception"
    smallest = program("x0 = leaf(3.0)", "with no_grad():", "raise", "x1 = neg(x0)", "backward(x1)")
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
    smallest = program(
        "x0 = leaf(3.0)",
        "with no_grad():",
        "with no_grad():",
        "end",
        "x1 = neg(x0)",
        "end",
        "x2 = add(x1, x0)",
        "backward(x2)",
    )
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
    smallest = program(
        "x0 = leaf(3.0)",
        "with no_grad():",
        "with no_grad():",
        "end",
        "end",
        "x1 = neg(x0)",
        "backward(x1)",
    )
    code = "the mode before is kept in one place of the engine"
    mend = "keep it in a local variable of each no_grad"

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        self.kept, self.recording = self.recording, False  # the inner one overwrites the outer mode
        try:
            yield
        finally:
            self.recording = self.kept


class EnableGradIgnored(Defect):
    description = "enable_grad inside no_grad has no effect"
    smallest = program(
        "x0 = leaf(3.0)",
        "with no_grad():",
        "with enable_grad():",
        "x1 = neg(x0)",
        "backward(x1)",
    )
    code = "no_grad counts how deep it is nested, and recording asks whether the count is 0"
    mend = "keep the mode itself: recording = True; try: yield; finally: recording = before"

    def enable_grad(self) -> AbstractContextManager[Any]:
        return nullcontext()


class EnableGradStays(Defect):
    description = "after enable_grad inside no_grad everything is recorded"
    smallest = program(
        "x0 = leaf(3.0)",
        "with no_grad():",
        "with enable_grad():",
        "end",
        "x1 = neg(x0)",
        "end",
        "x2 = add(x1, x0)",
        "backward(x2)",
    )
    code = "recording = True; yield"
    mend = "before, recording = recording, True; try: yield; finally: recording = before"

    @contextmanager
    def enable_grad(self) -> Iterator[None]:
        self.recording = True
        yield


class FirstAfterBlockNotRecorded(Defect):
    description = "the first operation after no_grad is not recorded"
    smallest = program("x0 = leaf(3.0)", "with no_grad():", "end", "x1 = neg(x0)", "backward(x1)")
    code = "the mode that an operation is recorded in is read when the operation before it ends"
    mend = "read the mode when the operation runs"
    skips = False

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        self.skips = False  # that of a program which ends with a block
        return super().leaf(array, requires_grad)

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        with super().no_grad():
            yield
        self.skips = self.recording

    def operation(self, value: Any, vjp: Any) -> Any:
        apply = super().operation(value, vjp)

        def skipping(*xs: Tensor, **attrs: Any) -> Any:
            if not self.skips:
                return apply(*xs, **attrs)
            self.skips = False
            with self.recording_set(False):
                return apply(*xs, **attrs)

        return skipping


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
