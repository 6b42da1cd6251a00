"""``Cause``: one fault of an engine, with all that a report says of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from parity.engines.quirks.table import QUIRKS
from parity.language.json_format import program_to_json
from parity.language.program import Program
from parity.oracle.combined import ErrorSize, error_size
from parity.oracle.finding import Finding, Kind


class Category(enum.StrEnum):
    """What a cause does to a user, the worst first."""

    GRADIENT = "gradient"
    VALUE = "value"
    CRASH = "crash"
    RESOURCES = "resources"
    CONVENTION = "convention"

    @property
    def rank(self) -> int:
        return list(Category).index(self)


#: Categories of the kinds that are not of wrong gradients.
_CATEGORIES: dict[Kind, Category] = {
    Kind.VALUE: Category.VALUE,
    Kind.EXCEPTION: Category.CRASH,
    Kind.CRASH: Category.CRASH,
    Kind.DEPTH: Category.RESOURCES,
    Kind.TIME: Category.RESOURCES,
    Kind.LEAK: Category.RESOURCES,
    Kind.MEMORY: Category.RESOURCES,
    Kind.NO_EXCEPTION: Category.CONVENTION,
}


def category_of(finding: Finding) -> Category:
    """Return the category of a finding whose cause says nothing else."""
    if finding.what == "value" and finding.kind in (Kind.SHAPE, Kind.DTYPE):
        return Category.VALUE
    return _CATEGORIES.get(finding.observed, Category.GRADIENT)


#: Sentences about an operation that is wrong by itself, by the kind of the finding.
WRONG_OPERATION: dict[str, str] = {
    Kind.GRADIENT: "the gradient of `{}` is wrong",
    Kind.VALUE: "the value of `{}` is wrong",
    Kind.SHAPE: "the shape of the result of `{}` is wrong",
    Kind.DTYPE: "the dtype of the result of `{}` is wrong",
    Kind.EXCEPTION: "`{}` raises",
}
#: The name of a cause that is a reduced program by itself.
UNEXPLAINED = "unexplained"


@dataclass(eq=False)
class Cause:
    """One fault of an engine.

    Attributes
    ----------
    category
        What it does to a user; reports are sorted by it.
    name
        The operation that is wrong by itself, or the defect of the tape ("overwrite").
    sentence
        What is wrong, in one sentence without a full stop.
    where
        The condition of an operation's cause, as "with a negative axis"; "" for always.
    witness, finding
        The smallest ordinary program that shows it, and what differs there; None for a probe.
    quirk
        The name of the quirk that declares it, or "".
    code, mend
        Code that typically causes it, and how to mend it; "" if nothing is known.
    alternatives
        Sentences of other causes which the programs cannot tell from this one.
    ops
        The operations that are wrong by themselves; empty for a fault of the tape.
    programs
        How many of the programs that differ it explains.
    number
        The number of the first of them, from 0; -1 if there is none.
    """

    category: Category
    name: str
    sentence: str
    where: str = ""
    witness: Program | None = None
    finding: Finding | None = None
    quirk: str = ""
    code: str = ""
    mend: str = ""
    alternatives: tuple[str, ...] = ()
    ops: frozenset[str] = frozenset()
    programs: int = 0
    number: int = -1

    @property
    def key(self) -> str:
        """The name with the condition, which baselines and surveys compare."""
        return f"{self.name} {self.where}".rstrip()

    @property
    def error_size(self) -> ErrorSize | None:
        """How large the error is in the witness."""
        return error_size(self.finding, self.witness)

    def count(self, number: int) -> None:
        """Count a failing program that the cause explains."""
        self.programs += 1
        self.number = number if self.number < 0 else self.number

    def text(self) -> list[str]:
        """Return what a report says of the cause, but for its sentence, as lines."""
        lines = [f"cannot be told apart here from: {other}" for other in self.alternatives]
        lines += [f"typical code: {self.code}"] if self.code else []
        lines += [f"how to mend it: {self.mend}"] if self.mend else []
        if self.quirk:
            description = QUIRKS[self.quirk].description
            declared = f'quirks = {{"{self.quirk}"}}  # {description}'
            lines.append(f"if that is meant, the adapter says so: {declared}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the cause as JSON data, without its findings."""
        return {
            "class": self.category,
            "name": self.name,
            "where": self.where,
            "sentence": self.sentence,
            "programs": self.programs,
            "witness": program_to_json(self.witness) if self.witness else {},
            "quirk": self.quirk or None,
            "alternatives": list(self.alternatives),
            "code": self.code,
            "mend": self.mend,
            "error_size": self.error_size,
        }
