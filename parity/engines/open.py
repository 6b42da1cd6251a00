"""``open_engines``, from which every command, campaign and test gets its engines."""

from __future__ import annotations

import pkgutil

from parity.engines.base import Engine
from parity.engines.builtin import AS_IS, BUILT_IN, FRAMEWORKS
from parity.engines.isolation.isolated import IsolatedRunner
from parity.engines.limits import Limits
from parity.engines.load import load_engine
from parity.engines.runner import LocalRunner, Runner
from parity.engines.selfcheck import check_adapter

#: The name of the reference that is the forward of the engine under test, and its class, which
#: lies in a package above this one.
SELF, _OWN = "self", "parity.oracle.own_reference:OwnReference"


def open_reference(name: str, runner: Runner) -> Engine:
    """Load the reference for a runner; ``self`` is the forward of the engine itself.

    Examples
    --------
    >>> open_reference("exact", open_runner("dezero")).name
    'exact'
    """
    if name != SELF:
        return load_engine(name)
    own: Engine = pkgutil.resolve_name(_OWN)(runner)
    return own


def open_engines(
    spec: str,
    reference: str = "torch",
    isolate: bool | None = None,
    limits: Limits | None = None,
    check: bool = True,
) -> tuple[Runner, Engine]:
    """Load the engine under test, of which it returns a runner, and its reference.

    The arguments are as of ``open_runner`` and ``open_reference``. ``check`` looks for mistakes of
    the adapter first. Raises EngineError if an engine cannot be used.

    Examples
    --------
    >>> runner, reference = open_engines("dezero")
    >>> runner.name, reference.name
    ('dezero', 'torch')
    """
    runner = open_runner(spec, reference, isolate, limits)
    expected = open_reference(reference, runner)
    if check:
        check_adapter(runner)
    return runner, expected


def open_runner(
    spec: str,
    reference: str = "torch",
    isolate: bool | None = None,
    limits: Limits | None = None,
) -> Runner:
    """Load the engine under test, which will be compared with a reference, and return its runner.

    ``isolate`` runs the engine in a worker process, within ``limits`` for one program; None does
    so unless the engine is built in and no framework.

    Examples
    --------
    >>> open_runner("dezero").name
    'dezero'
    """
    if isolate is None:
        isolate = spec not in BUILT_IN or spec in FRAMEWORKS
    # The reference copies gradients, so that they never share memory. PyTorch as the engine under
    # test does not, unless the reference is PyTorch too: such a run tests parity itself.
    tested = spec if spec == reference else AS_IS.get(spec, spec)
    engine = None if isolate else load_engine(tested)
    return LocalRunner(engine) if engine else IsolatedRunner(tested, limits or Limits())
