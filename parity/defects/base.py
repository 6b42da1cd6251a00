"""What a defect is."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from parity.defects.small import Small


class Defect(Small):
    """An engine that is wrong on purpose.

    ``says`` completes "behaves like ``name``: ..."; ``seen``: where it was seen;
    ``smallest``: the smallest program that shows it, None if only ``probe`` does.
    """

    says: ClassVar[str] = ""
    seen: ClassVar[str] = ""
    smallest: ClassVar[Any] = None
    probe: ClassVar[str] = ""


class program:
    """Additions of scalar leaves and a backward, as a class attribute."""

    def __init__(self, leaves: int, *additions: tuple[int, int]) -> None:
        self.leaves = leaves
        self.additions = additions

    def __get__(self, instance: object, owner: type) -> Any:
        pr: Any = importlib.import_module("parity.program")  # scripts copy what is imported above
        leaves = tuple(pr.Leaf((), (3.0 - i,)) for i in range(self.leaves))
        applied = tuple(pr.Apply("add", inputs) for inputs in self.additions)
        last = self.leaves + len(applied) - 1
        return pr.Program(leaves, (*applied, pr.Backward(last)))
