"""``Defect``: base class of engines with one deliberate fault."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.vjps import RULES, Rule


class Defect(TapeEngine):
    """The correct engine with one fault. A subclass overrides one step or one rule.

    Subclasses with a name in the modules of this package are collected in
    ``parity.diagnose.defects.DEFECTS``.

    Attributes
    ----------
    name
        A unique name in kebab-case.
    description
        The fault in one sentence. Completes "behaves like `name`: ...".
    seen
        Projects and issues in which it was seen; "" if in none yet.
    smallest
        The smallest ``parity.language.program.Program`` that shows it; None if only a probe does.
    probe
        The name of that probe.
    forms
        Variants of the fault, which the diagnosis compares as well.
    """

    name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    seen: ClassVar[str] = ""
    smallest: ClassVar[Any] = None
    probe: ClassVar[str] = ""
    forms: ClassVar[tuple[type[Defect], ...]] = ()


class program:
    """Descriptor of a class attribute: a program, written as text and read on access."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __get__(self, instance: object, owner: type) -> Any:
        # Imported late: scripts that embed this source do not embed the language.
        return importlib.import_module("parity.language.text_format").program_from_text(self.text)


def rules_with(**vjps: Callable[..., tuple[Any, ...]]) -> Mapping[str, Rule]:
    """Return the rules of the correct engine with other VJPs for some operations."""
    return {**RULES, **{name: Rule(RULES[name].value, vjp) for name, vjp in vjps.items()}}
