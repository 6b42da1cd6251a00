"""Modes of the calling thread: whether a computation is recorded for backward.

Every thread has its own modes, and a new thread starts with the defaults
(semantics.md 6.1), so ``no_grad`` in one thread never switches off another.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class _Restricted:
    """How many threads do not record just now."""

    __slots__ = ("threads",)

    def __init__(self) -> None:
        self.threads = 0


class _Config(threading.local):
    """The modes of one thread."""

    train: bool = True
    _enable_backprop: bool = True

    @property
    def enable_backprop(self) -> bool:
        """Whether operations are recorded for backward."""
        return self._enable_backprop

    @enable_backprop.setter
    def enable_backprop(self, value: bool) -> None:
        with _counting:
            restricted.threads += self._enable_backprop - bool(value)
        self._enable_backprop = bool(value)


_counting = threading.Lock()
#: Operations look at this first: while it is zero, all threads record. Asking the
#: thread's own mode would take a tenth of the time of an operation on small arrays.
restricted = _Restricted()
#: The book's ``Config``; reading or setting an attribute concerns the calling thread only.
Config = _Config()


@contextmanager
def using_config(name: str, value: bool) -> Iterator[None]:
    """Set ``Config.<name>`` to ``value`` for a ``with`` block, then restore it.

    Raises AttributeError for a name that ``Config`` does not have.
    """
    old = getattr(Config, name)
    setattr(Config, name, value)
    try:
        yield
    finally:
        setattr(Config, name, old)


class _SetBackprop:
    """Context manager and decorator (with or without parentheses) for one value of the mode.

    Each entry remembers the value it found, so the same object can be entered
    again while it is active. PyTorch forgets the outer value there (semantics.md
    6.2, a documented divergence).
    """

    _value: bool

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        self = super().__new__(cls)
        self._found = {}
        return self if function is None else self(function)

    #: By thread, the values found by entries that are still active.
    _found: dict[int, list[bool]]

    def __enter__(self) -> None:
        self._found.setdefault(threading.get_ident(), []).append(Config.enable_backprop)
        Config.enable_backprop = self._value

    def __exit__(self, *exception: object) -> None:
        thread = threading.get_ident()
        Config.enable_backprop = self._found[thread].pop()
        if not self._found[thread]:
            del self._found[thread]

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            return _decorate_generator(type(self), function)  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]


def _decorate_generator(
    mode: type[_SetBackprop], function: Callable[..., Generator[Any, Any, Any]]
) -> Callable[..., Generator[Any, Any, Any]]:
    """A generator whose mode holds while it runs, not while its caller does (semantics.md 6.1)."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with mode():
                    item = resume()
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield item
                resume = functools.partial(generator.send, sent)
            except GeneratorExit:
                with mode():
                    generator.close()
                raise
            except BaseException as error:
                resume = functools.partial(generator.throw, error)

    return wrapper


class no_grad(_SetBackprop):
    """Do not record: results have ``requires_grad`` False (semantics.md 6.1).

    ``with no_grad(): ...``, ``@no_grad`` and ``@no_grad()``; nests, is restored
    after an exception, and concerns the calling thread only.
    """

    _value = False


class enable_grad(_SetBackprop):
    """Record again inside ``no_grad``; used in the same three ways."""

    _value = True
