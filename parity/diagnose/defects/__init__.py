"""Known defects: engines with one deliberate fault each, by family.

``DEFECTS`` has all of them by name. It is collected on first access, so that one defect can be
loaded without importing the others.

Modules, in reading order: ``tensor``, ``vjps`` and ``engine`` (the correct engine on which they are
built), ``base`` (``Defect``), and the families ``traversal``, ``accumulation``, ``aliasing``,
``broadcasting``, ``clearing``, ``modes``, ``operations``, ``second_order``, ``shapes`` and
``flaky``.

Scripts embed the source of these modules. They import ``parity.engines.base`` and each other, and
``parity.language`` only when a program is read.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.diagnose.defects.base import Defect

#: Every defect by name, in the order of modules and classes.
DEFECTS: Mapping[str, type[Defect]]


def __getattr__(name: str) -> Any:
    if name == "DEFECTS":
        return _collected()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _collected() -> Mapping[str, type[Defect]]:
    """Return the named subclasses of ``Defect`` that the modules of this package define."""
    base = importlib.import_module(f"{__name__}.base").Defect
    found: dict[str, type[Defect]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for cls in vars(module).values():
            mine = isinstance(cls, type) and cls.__module__ == module.__name__
            # Shared base classes have no name.
            if mine and issubclass(cls, base) and vars(cls).get("name"):
                if cls.name in found:
                    raise ValueError(f"two defects are called {cls.name!r}")
                found[cls.name] = cls
    return MappingProxyType(found)
