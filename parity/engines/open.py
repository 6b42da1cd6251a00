"""``open_engines``: load, isolate and check the engine under test and load its reference.

Every command, the pytest plugin, campaigns and the survey get their engines from here.
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
        Whether the engine runs in a worker process. None isolates engines given by file.
    limits
        Time and memory of an isolated engine for one program; None for the default.
    check
        Whether the adapter is checked before it is used (``parity.engines.selfcheck``).

    Returns
    -------
    tuple of (Runner, Engine)
        A runner of the engine under test, and the reference.

    Raises
    ------
    EngineError
        If one cannot be used. The message is one line with the reason and the remedy.

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
        expected = load_engine(reference)
        runner = IsolatedRunner(tested, limits or Limits())
    else:
        runner = LocalRunner(load_engine(tested))
        expected = load_engine(reference)
    if check:
        check_adapter(runner)
    return runner, expected
