"""Lines of the engine under test that programs reach.

From Python 3.12 on ``sys.monitoring`` tells each line once and then leaves it alone, so
that watching costs next to nothing. Python 3.11 has only ``sys.settrace``, which makes
each line slow: there a program is run once more to be traced, if it does something new.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any

from parity.engines.base import Engine
from parity.engines.remote import Remote
from parity.execute import execute
from parity.program import Program

#: Not engines under test: the harness and what engines are built on.
_FOREIGN = frozenset({"parity", "numpy", "torch", "scipy", "hypothesis", *sys.stdlib_module_names})
#: Of the programs that do nothing new one in so many is traced (Python 3.11).
_SAMPLE = 128

Line = tuple[str, int]


class Lines:
    """None are seen: the engine runs in another process."""

    #: Whether lines are seen while programs run, and not by running them once more.
    watches = False

    def watching(self) -> contextlib.AbstractContextManager[Any]:
        """A context in which programs run on the engine are watched."""
        return contextlib.nullcontext()

    def fresh(self, program: Program, new: bool) -> bool:
        """Whether ``program``, which ran last, reached lines that none before it did.

        ``new``: whether it is known to do something new.
        """
        return False

    def copy(self) -> Lines:
        """Another that knows the same lines."""
        return self


class Seen(Lines):
    """Lines of an engine in this process that were reached."""

    def __init__(self, engine: Engine, seen: Iterable[Line] = ()) -> None:
        self.engine = engine
        self.places = places(engine)
        self.seen = set(seen)

    def copy(self) -> Seen:
        return type(self)(self.engine, self.seen)


class Monitored(Seen):
    """Lines as ``sys.monitoring`` tells them: each once, with no cost later."""

    watches = True

    def __init__(self, engine: Engine, seen: Iterable[Line] = ()) -> None:
        super().__init__(engine, seen)
        self.before = len(self.seen)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        monitoring: Any = vars(sys)["monitoring"]  # mypy reads Python 3.11
        tool = next((i for i in range(6) if monitoring.get_tool(i) is None), None)
        if tool is None:  # a debugger and others have them all
            yield
            return

        def line(code: CodeType, number: int) -> Any:
            if code.co_filename.startswith(self.places):
                self.seen.add((code.co_filename, number))
            return monitoring.DISABLE

        monitoring.use_tool_id(tool, __name__)
        try:
            monitoring.register_callback(tool, monitoring.events.LINE, line)
            monitoring.set_events(tool, monitoring.events.LINE)
            monitoring.restart_events()  # what was told to an earlier watcher is told again
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, monitoring.events.LINE, None)
            monitoring.free_tool_id(tool)

    def fresh(self, program: Program, new: bool) -> bool:
        self.before, before = len(self.seen), self.before
        return self.before > before


class Traced(Seen):
    """Lines as ``sys.settrace`` tells them, of programs that do something new and of a sample."""

    def __init__(self, engine: Engine, seen: Iterable[Line] = ()) -> None:
        super().__init__(engine, seen)
        self.programs = 0
        #: Functions with all their lines seen.
        self.done: set[CodeType] = set()

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


def lines_of(engine: Engine) -> Lines:
    """What watches the lines of an engine here."""
    if isinstance(engine, Remote):
        return Lines()
    return Monitored(engine) if hasattr(sys, "monitoring") else Traced(engine)


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
