"""``Defect``: base class of engines with one deliberate fault."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.vjps import RULES, Rule


class Defect(TapeEngine):
    """The correct engine with one fault. A subclass overrides one step or one rule.

    Subclasses in the modules of this package are collected in ``parity.diagnose.defects.DEFECTS``.
    """

    #: A unique name; where none is given or inherited, that of the class in kebab-case. "" for
    #: shared base classes, whose names begin with "_".
    name: ClassVar[str] = ""
    #: The fault in words that complete "behaves like `name`: ...".
    description: ClassVar[str] = ""
    #: Projects and issues in which it was seen; "" if in none yet.
    seen: ClassVar[str] = ""
    #: The smallest ``parity.language.program.Program`` that shows it; None if only a probe does.
    smallest: ClassVar[Any] = None
    #: The name of that probe.
    probe: ClassVar[str] = ""
    #: Whether it shows in some runs of a program only; ``smallest`` then shows it now and then, and
    #: no diagnosis names it.
    flaky: ClassVar[bool] = False
    #: Code that typically causes it, and how to mend it; "" if nothing is typical.
    code: ClassVar[str] = ""
    mend: ClassVar[str] = ""
    #: What it does to a user (``parity.diagnose.causes.Category``).
    category: ClassVar[str] = "gradient"
    #: The quirk that declares it (``parity.engines.quirks``), or "".
    quirk: ClassVar[str] = ""
    #: Variants of the fault, which the diagnosis compares as well.
    forms: ClassVar[tuple[type[Defect], ...]] = ()

    def __init_subclass__(cls) -> None:
        if not cls.name and not cls.__name__.startswith("_"):
            cls.name = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()


class program:
    """Descriptor of a class attribute: a program, written as lines of text and read on access."""

    def __init__(self, *lines: str) -> None:
        self.text = "\n".join(lines)

    def __get__(self, instance: object, owner: type) -> Any:
        # Imported late: scripts that embed this source do not embed the language.
        return importlib.import_module("parity.language.text_format").program_from_text(self.text)


def rules_with(**vjps: Callable[..., tuple[Any, ...]]) -> Mapping[str, Rule]:
    """Return the rules of the correct engine with other VJPs for some operations."""
    return RULES | {name: Rule(RULES[name].value, vjp) for name, vjp in vjps.items()}
