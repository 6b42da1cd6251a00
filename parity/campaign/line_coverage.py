"""Line coverage of the engine under test.

``sys.settrace`` makes each line slow. So a program is run a second time to be traced: if it has a
new feature, and a sample of the others.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from types import CodeType, FrameType, ModuleType
from typing import Any

from parity.engines.base import Engine
from parity.engines.runner import AnyEngine, LocalRunner, as_runner
from parity.language.program import Program

#: Packages that are not under test: parity itself, and those that engines are built on.
_FOREIGN = frozenset({"parity", "numpy", "torch", "scipy", "hypothesis", *sys.stdlib_module_names})
#: One in so many programs without a new feature is traced.
_SAMPLE = 128

Line = tuple[str, int]


class Lines:
    """Line coverage by ``sys.settrace``, of programs with new features and of a sample.

    Without an engine no line is new: one in another process cannot be traced.
    """

    def __init__(self, engine: Engine | None = None, seen: Iterable[Line] = ()) -> None:
        self.engine = engine
        self.paths = source_paths(engine) if engine is not None else ()
        self.seen = set(seen)
        self.programs = 0
        #: Functions whose lines are all seen.
        self.done: set[CodeType] = set()

    def copy(self) -> Lines:
        return Lines(self.engine, self.seen)

    def adds(self, program: Program, new: bool) -> bool:
        """Whether ``program``, which has a ``new`` feature or not, is the first to reach a line."""
        self.programs += 1
        if self.engine is None or (not new and self.programs % _SAMPLE):
            return False
        before, outer = len(self.seen), sys.gettrace()
        sys.settrace(self._call)
        try:
            LocalRunner(self.engine).run(program)
        finally:
            sys.settrace(outer)
        return len(self.seen) > before

    def _call(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code, seen = frame.f_code, self.seen
        file = code.co_filename
        if code in self.done or not file.startswith(self.paths):
            return None
        if all((file, number) in seen for _, _, number in code.co_lines() if number):
            self.done.add(code)
            return None

        def line(frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
            seen.add((file, frame.f_lineno))
            return line

        return line(frame, event, argument)


def lines_of(engine: AnyEngine) -> Lines:
    return Lines(as_runner(engine).local_engine)


@functools.cache
def _prefix(module: ModuleType) -> str:
    """The path prefix of the files of a module's package; "" if it has no file."""
    file = getattr(module, "__file__", None)
    if not file:
        return ""
    package = sys.modules.get(module.__name__.partition(".")[0])
    if hasattr(package, "__path__") and getattr(package, "__file__", None):
        return os.path.dirname(str(vars(package)["__file__"])) + os.sep
    return str(file)


def source_paths(engine: Engine) -> tuple[str, ...]:
    """Path prefixes of an engine's files: those of its adapter and of what the adapter imports.

    A package counts as a whole; parity, NumPy, PyTorch and the standard library do not count.
    """
    found: set[str] = set()
    for cls in type(engine).__mro__[:-1]:
        adapter = sys.modules.get(cls.__module__)
        if cls is Engine or adapter is None or not getattr(adapter, "__file__", None):
            continue
        found.add(str(adapter.__file__))
        for variable, value in vars(adapter).items():
            own = "__name__" if isinstance(value, ModuleType) else "__module__"
            name = getattr(value, own, None)
            if not isinstance(name, str):
                continue
            module = sys.modules.get(name)
            # Loaders of modules, such as pytest, add names of their own.
            foreign = name.partition(".")[0] in _FOREIGN or variable.startswith(("__", "@"))
            if module is not None and not foreign:
                found.add(_prefix(module))
    return tuple(sorted(found - {""}))
