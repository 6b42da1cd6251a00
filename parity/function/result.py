"""What ``parity.check_function`` found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity._util.escape import one_line, printable
from parity.function.cases import Array
from parity.oracle.verdict import plural, verdict_line, verdict_of

#: Rows of an array that a report shows.
_MOST_ROWS = 8


@dataclass(frozen=True)
class FunctionFinding:
    """One fault of a function.

    Attributes
    ----------
    check
        The name of the check that fails.
    says
        What is wrong, in a sentence.
    inputs, seeds
        The smallest inputs and upstream gradients that show it.
    expected, actual
        The right result and the one of the function; text for what is no array.
    note
        How the right result is known, or what is known of it.
    cause, mend
        What typically is the cause, and how to mend it.
    script
        A script that shows the fault without parity; the inputs as code, if the function cannot be
        imported by its name.
    file
        Where the script was written, or "".
    """

    check: str
    says: str
    inputs: tuple[Array, ...]
    seeds: tuple[Array, ...]
    expected: Any
    actual: Any
    note: str = ""
    cause: str = ""
    mend: str = ""
    script: str = ""
    file: str = ""

    def __str__(self) -> str:
        lines = [self.says]
        lines += [f"    input {i}: {_shown(a)}" for i, a in enumerate(self.inputs)]
        lines += [f"    upstream gradient: {_shown(v)}" for v in self.seeds]
        sides = {"expected": self.expected, "actual": self.actual}
        shown = {k: _shown(v) for k, v in sides.items() if v is not None}
        if len(set(shown.values())) < len(shown):
            shown = {k: _shown(v, "unique") for k, v in sides.items()}
        lines += [f"  {name}: {text}" for name, text in shown.items()]
        texts = {"": self.note, "typical cause: ": self.cause, "how to mend it: ": self.mend}
        texts["script: "] = self.file
        lines += [f"  {name}{one_line(text)}" for name, text in texts.items() if text]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON data."""
        return {
            "check": self.check,
            "says": self.says,
            "inputs": [_plain(a) for a in self.inputs],
            "upstream": [_plain(v) for v in self.seeds],
            "expected": _plain(self.expected),
            "actual": _plain(self.actual),
            "note": self.note,
            "cause": self.cause,
            "mend": self.mend,
            "script": self.script,
            "file": self.file,
        }


@dataclass
class FunctionResult:
    """The result of ``parity.check_function``; its text is a report.

    Attributes
    ----------
    name
        The name of the function.
    findings
        The faults, each once.
    checked
        The names of the checks that ran.
    untested
        What was not tested, and why.
    notes
        What is no fault but worth to know.
    """

    name: str
    reference: str
    points: int = 0
    findings: list[FunctionFinding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def verdict(self) -> str:
        """ "parity" or "findings"."""
        return verdict_of(bool(self.findings), False)

    def __str__(self) -> str:
        lines = [f"{self.name} against {self.reference}"]
        lines += [f"\n{finding}" for finding in self.findings]
        if self.untested or self.notes:
            lines.append("")
        lines += [f"not tested: {one_line(text)}" for text in self.untested]
        lines += [f"note: {one_line(text)}" for text in self.notes]
        found = plural(len(self.findings), "finding")
        details = f"{found}; {len(self.checked)} checks at {plural(self.points, 'set')} of inputs"
        return "\n".join([*lines, "", verdict_line(self.verdict, details)])

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        return {
            "function": self.name,
            "reference": self.reference,
            "verdict": self.verdict,
            "inputs": self.points,
            "checked": list(self.checked),
            "findings": [finding.to_json() for finding in self.findings],
            "untested": list(self.untested),
            "notes": list(self.notes),
        }


def _shown(value: Any, floatmode: Any = "maxprec") -> str:
    if not isinstance(value, np.ndarray):
        return one_line(value)
    with np.printoptions(8, 40, 3, 75, suppress=False, floatmode=floatmode):
        rows = printable(value).split("\n")
        rows = [*rows[:_MOST_ROWS], "..."] if len(rows) > _MOST_ROWS else rows
        text = ("\n" + " " * 13).join(rows)
    return text if value.ndim and value.size else f"{text} (shape {value.shape})"


def _plain(value: Any) -> Any:
    """Return an array as nested lists, with nan and infinity as text."""
    if not isinstance(value, np.ndarray):
        return value if value is None else one_line(value)
    texts = [v if np.isfinite(v) else str(v) for v in value.ravel().tolist()]
    return np.array(texts, object).reshape(value.shape).tolist()
