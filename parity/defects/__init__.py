"""Engines that are wrong on purpose, one defect a class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from parity.defects import traversal
from parity.defects.small import Defect

#: Every defect by name.
DEFECTS: Mapping[str, type[Defect]] = MappingProxyType(
    {
        cls.name: cls
        for cls in vars(traversal).values()
        if isinstance(cls, type) and issubclass(cls, Defect) and cls is not Defect
    }
)
