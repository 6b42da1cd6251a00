"""Engines that do not come back from ``neg``: none has other faults."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite as OverwriteDefect
from parity.diagnose.defects.traversal import SendsAgain
from parity.engines import Operation


def _with_neg(name: str, act: Callable[[], Any]) -> type[TapeEngine]:
    def start(self: Any) -> None:
        TapeEngine.__init__(self)
        own = self.ops["neg"]
        self.ops = {**self.ops, "neg": lambda a: (act(), own(a))[1]}

    return type(name, (TapeEngine,), {"name": name, "__init__": start, "__module__": __name__})


def _loop() -> None:
    while True:
        pass


def _grow() -> None:
    held = []
    while True:
        held.append(bytearray(10_000_000))


def _write() -> None:
    print("text", flush=True)
    os.write(0, b"text")
    os.write(1, b"text")
    os.write(2, b"text")


def _close() -> None:
    os.closerange(3, 70_000)


def _error() -> None:
    raise ValueError("some  reason")


#: Ends the process where no guard of the same process sees it.
Segfaults = _with_neg("segfaults", lambda: ctypes.string_at(0))
Aborts = _with_neg("aborts", os.abort)
Loops = _with_neg("loops", _loop)
Grows = _with_neg("grows", _grow)
Exits = _with_neg("exits", lambda: sys.exit(3))
ExitsAtOnce = _with_neg("exits-at-once", lambda: os._exit(0))
Kills = _with_neg("kills", lambda: (os.kill(os.getppid(), 9), os._exit(5)))
Closes = _with_neg("closes", _close)
Raises = _with_neg("raises", _error)
Writes = _with_neg("writes", _write)


class Overwrite(OverwriteDefect):
    """A defect, to see that it looks the same from outside."""


class WearsOut(TapeEngine):
    """Does nothing in ``neg`` from the fifth time on: what ran before changes a program."""

    name = "wears-out"

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        own = self.ops["neg"]
        self.ops = {**self.ops, "neg": lambda a: a if self.worn() else own(a)}

    def worn(self) -> bool:
        self.calls += 1
        return self.calls > 4


class WearsOutAndOverwrites(WearsOut, OverwriteDefect):
    """And has a defect besides."""

    name = "wears-out-and-overwrites"


class LosesInNegAndSendsAgain(WearsOut, SendsAgain):
    """Later the gradient of ``neg`` is lost; and it has a defect that takes a statement more."""

    name = "loses-in-neg-and-sends-again"

    def __init__(self) -> None:
        super().__init__()
        ops = self.ops
        own = self.operation(*self.rules["neg"])

        def neg(a: Any) -> Any:
            result = own(a)
            if not self.worn():
                return result
            return ops["add"](self.detach(result), ops["mul_scalar"](a, c=0.0))

        self.ops = {**ops, "neg": neg}


class ExitsInProbe(TapeEngine):
    """Ends the process in a deep graph only."""

    name = "exits-in-probe"

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        if t.data.shape == () and t.data == 1001.0:
            os._exit(4)
        super().backward(t, gradient, **flags)


class AbortsInBackward(TapeEngine):
    """Ends the process in any backward."""

    name = "aborts-in-backward"

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        os.abort()


class LoopsInBackward(TapeEngine):
    """No backward ends."""

    name = "loops-in-backward"

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        _loop()


class CrashesInFive(TapeEngine):
    """Ends the process in five operations, two of which are its own; one in the backward only."""

    name = "crashes-in-five"
    crashing = ("neg", "exp", "add_scalar", "crash_one", "crash_two")
    extra_ops = tuple(Operation(name, "torch.sin(a)") for name in crashing[3:])

    def __init__(self) -> None:
        super().__init__()
        self.ops = {**self.ops, **dict.fromkeys(self.crashing, lambda *a, **k: os._exit(3))}
        self.ops["exp"] = self.operation(self.rules["exp"].value, lambda *a, **k: os._exit(3))


class LoopsInTwo(TapeEngine):
    """Two operations never end."""

    name = "loops-in-two"

    def __init__(self) -> None:
        super().__init__()
        self.ops = {**self.ops, **dict.fromkeys(("neg", "exp"), lambda a: _loop())}
