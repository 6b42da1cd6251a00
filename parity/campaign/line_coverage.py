"""Lines of the engine under test that programs reach.

``sys.settrace`` makes each line slow, so a program is run once more to be traced: if it does
something new, and one of the others in so many.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from types import CodeType, FrameType, ModuleType
from typing import Any

from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.runner import AnyEngine, as_runner
from parity.language.program import Program

#: Not engines under test: the harness and what engines are built on.
_FOREIGN = frozenset({"parity", "numpy", "torch", "scipy", "hypothesis", *sys.stdlib_module_names})
#: Of the programs that do nothing new one in so many is traced.
_SAMPLE = 128

Line = tuple[str, int]


class Lines:
    """None are seen: the engine runs in another process."""

    def fresh(self, program: Program, new: bool) -> bool:
        """Whether ``program`` reaches lines that none before it did.

        ``new``: whether it is known to do something new.
        """
        return False

    def copy(self) -> Lines:
        """Another that knows the same lines."""
        return self


class Traced(Lines):
    """Lines as ``sys.settrace`` tells them, of programs that do something new and of a sample."""

    def __init__(self, engine: Engine, seen: Iterable[Line] = ()) -> None:
        self.engine = engine
        self.places = places(engine)
        self.seen = set(seen)
        self.programs = 0
        #: Functions with all their lines seen.
        self.done: set[CodeType] = set()

    def copy(self) -> Traced:
        return Traced(self.engine, self.seen)

    def fresh(self, program: Program, new: bool) -> bool:
        self.programs += 1
        if not new and self.programs % _SAMPLE:
            return False
        before, outer = len(self.seen), sys.gettrace()
        sys.settrace(self._call)
        try:
            execute(program, self.engine)
        finally:
            sys.settrace(outer)
        return len(self.seen) > before

    def _call(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code, seen = frame.f_code, self.seen
        file = code.co_filename
        if code in self.done or not file.startswith(self.places):
            return None
        if all((file, number) in seen for _, _, number in code.co_lines() if number):
            self.done.add(code)
            return None

        def line(frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
            seen.add((file, frame.f_lineno))
            return line

        return line(frame, event, argument)


def lines_of(engine: AnyEngine) -> Lines:
    """What watches the lines of an engine here."""
    local = as_runner(engine).local_engine
    return Lines() if local is None else Traced(local)


@functools.cache
def _start(module: ModuleType) -> str:
    """How the files of the package that a module is of begin; "" where it has none."""
    file = getattr(module, "__file__", None)
    if not file:
        return ""
    package = sys.modules.get(module.__name__.partition(".")[0])
    if hasattr(package, "__path__") and getattr(package, "__file__", None):
        return os.path.dirname(str(vars(package)["__file__"])) + os.sep
    return str(file)


def places(engine: Engine) -> tuple[str, ...]:
    """How the paths of an engine's files begin: of its adapter, and of what that imports.

    A package counts as a whole; the harness, NumPy, PyTorch and the standard library do not.
    """
    found: set[str] = set()
    for cls in type(engine).__mro__[:-1]:
        adapter = sys.modules.get(cls.__module__)
        if cls is Engine or adapter is None or not getattr(adapter, "__file__", None):
            continue
        found.add(str(adapter.__file__))
        for variable, value in vars(adapter).items():
            name = value.__name__ if isinstance(value, ModuleType) else _module(value)
            module = sys.modules.get(name)
            # What loads a module, as pytest does, leaves names of its own there.
            foreign = name.partition(".")[0] in _FOREIGN or variable.startswith(("__", "@"))
            if module is not None and not foreign:
                found.add(_start(module))
    return tuple(sorted(found - {""}))


def _module(value: Any) -> str:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""
