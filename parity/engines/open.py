"""The front door: from the names on a command line to a runner and its reference.

Every command, the pytest plugin, campaigns and the survey come in through
``open_engines``, which loads, isolates and self-checks the engine under test.
"""

from __future__ import annotations

from parity.engines.base import Engine
from parity.engines.isolation.isolated import IsolatedRunner
from parity.engines.limits import Limits
from parity.engines.load import load_engine, tested_spec
from parity.engines.runner import LocalRunner, Runner
from parity.engines.selfcheck import check_adapter


def open_engines(
    spec: str,
    reference: str = "torch",
    isolate: bool | None = None,
    limits: Limits | None = None,
    check: bool = True,
) -> tuple[Runner, Engine]:
    """Load the engine under test and its reference.

    Parameters
    ----------
    spec, reference
        A built-in name, ``package.module:Class`` or ``path/to/file.py:Class``.
    isolate
        Whether the engine runs in a process of its own; None isolates engines given by file.
    limits
        What an isolated engine may use for one program.
    check
        Whether the adapter is tried before it is used (``parity.engines.selfcheck``).

    Raises
    ------
    EngineError
        If one cannot be used; the message is one line that says why and what to do.

    Examples
    --------
    >>> runner, reference = open_engines("dezero")
    >>> runner.name, reference.name
    ('dezero', 'torch')
    """
    if isolate is None:
        isolate = spec.rpartition(":")[0].endswith(".py")
    tested = tested_spec(spec, reference)
    runner: Runner
    if isolate:
        right = load_engine(reference)
        runner = IsolatedRunner(tested, limits or Limits())
    else:
        runner = LocalRunner(load_engine(tested))
        right = load_engine(reference)
    if check:
        check_adapter(runner)
    return runner, right
