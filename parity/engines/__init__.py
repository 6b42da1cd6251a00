"""Autograd engines: the ``Engine`` interface, adapters, and running programs on them.

Subclass ``Engine`` to test your own engine; raise ``Unsupported`` for what it does not have.

In reading order: ``base`` (the interface), ``adapters`` (its implementations), ``trace`` and
``execute`` (run a program, and what was observed), ``runner`` (in this process or another),
``isolation`` (worker processes), ``quirks`` (documented deviations from PyTorch), ``load``,
``selfcheck`` and ``open`` (from a name to a checked engine), ``sources`` (the source code of an
adapter, for scripts) and ``template`` (the file that ``parity adapter`` writes).

The package may import ``parity.language`` and ``parity._util``, but no other package of parity.
Adapters of other projects are imported only when they are loaded by name.
"""

import pkgutil
from typing import TYPE_CHECKING

from parity.engines.base import Engine, Unsupported

if TYPE_CHECKING:
    from parity.language.operation import Operation

__all__ = ["Engine", "Operation", "Unsupported"]


def __getattr__(name: str) -> object:
    """Import ``Operation`` when it is asked for: scripts that copy this package rarely need it."""
    if name == "Operation":
        return pkgutil.resolve_name("parity.language.operation:Operation")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
