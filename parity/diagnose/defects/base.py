"""What a defect is: an engine that is wrong in one way, with the words that explain it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.vjps import RULES, Rule


class Defect(TapeEngine):
    """The base engine with one fault: a subclass overrides one step or one rule.

    A subclass in a module of this package is a defect of ``parity.diagnose.defects.DEFECTS``.
    """

    #: Kebab-case; unique.
    name: ClassVar[str] = ""
    #: Completes "behaves like `name`: ...".
    description: ClassVar[str] = ""
    #: Where it was seen: projects and issues; "" if nowhere yet.
    seen: ClassVar[str] = ""
    #: The smallest ``parity.language.program.Program`` that shows it; None if only a probe does.
    smallest: ClassVar[Any] = None
    #: The name of that probe.
    probe: ClassVar[str] = ""
    #: Other forms of the same fault that engines have; the diagnosis tries them too.
    forms: ClassVar[tuple[type[Defect], ...]] = ()


class program:
    """A program as a class attribute, written as its text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __get__(self, instance: object, owner: type) -> Any:
        # By name: an engine does not need the harness, nor do scripts that copy its source.
        return importlib.import_module("parity.language.text_format").program_from_text(self.text)


def rules_with(**vjps: Callable[..., tuple[Any, ...]]) -> Mapping[str, Rule]:
    """The rules of the base with other formulas for the gradients of some operations."""
    return {**RULES, **{name: Rule(RULES[name].value, vjp) for name, vjp in vjps.items()}}
