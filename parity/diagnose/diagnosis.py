"""``Diagnosis``: the defects that an engine behaves like, with their texts for reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parity.engines.quirks.table import QUIRKS

#: Sentences about an operation that is wrong by itself, by the kind of the finding.
WRONG_OPERATION = {
    "gradient": "the gradient of `{}` itself is wrong",
    "value": "the value of `{}` itself is wrong",
    "shape": "the shape of `{}` itself is wrong",
    "dtype": "the dtype of `{}` itself is wrong",
    "exception": "`{}` itself raises",
}
#: The same where the finding is about a gradient.
WRONG_GRADIENT = {
    "shape": "the shape of the gradient of `{}` itself is wrong",
    "dtype": "the dtype of the gradient of `{}` itself is wrong",
}


@dataclass(frozen=True)
class Agreement:
    """A defect, and on how many probes it gives the same results as the engine."""

    defect: str
    description: str
    agrees: int
    of: int
    #: Probes that were left out since they show other faults (``parity.diagnose.combinations``).
    other_faults: int = 0

    def __str__(self) -> str:
        text = f"`{self.defect}`: {self.description}; {self.agrees} of {self.of} probes"
        return f"{text}; {self.other_faults} more show other faults" if self.other_faults else text


@dataclass(frozen=True)
class Diagnosis:
    """The defects that agree with the engine on all probes, or what else is known of the fault."""

    matches: tuple[Agreement, ...] = ()
    #: If none agrees on all probes, the defect that agrees on most.
    nearest: Agreement | None = None
    #: What the program uses and defects do not have; then no defect was compared.
    unsupported: tuple[str, ...] = ()
    #: If no defect agrees, the operation that is wrong by itself, or "", and what of it is wrong.
    operation: str = ""
    wrong_operation: str = ""
    #: If no defect agrees, quirks with which the program shows no difference.
    quirks: tuple[str, ...] = ()

    def to_json(self) -> list[dict[str, Any]]:
        """Return the matches as ``parity check --json`` has them; empty if there are none."""
        return [
            {"defect": m.defect, "agrees": m.agrees, "of": m.of, "says": m.description}
            for m in self.matches
        ]

    def text(self) -> str:
        """Return the diagnosis as text, one line per defect or quirk."""
        if self.matches:
            first, *others = (str(match) for match in self.matches)
            lines = [f"behaves like {first}", *(f"or like {other}" for other in others)]
            note = "; the probes do not distinguish them" if others else ""
            return "\n".join(lines) + note
        near = self.nearest
        text = "no known defect"
        if self.unsupported:
            lacks = ", ".join(f"`{name}`" for name in self.unsupported)
            text = f"no known defect was tried: the engine that they are built on lacks {lacks}"
        elif near is not None and 2 * near.agrees >= near.of:  # some always agrees on a few probes
            text += f"; nearest: `{near.defect}`, {near.agrees} of {near.of} probes"
        if self.operation:
            text = f"{self.wrong_operation}; {text}"
        quirks = (
            f"if that is intended, declare the quirk `{name}`: {QUIRKS[name].description}"
            for name in self.quirks
        )
        return "\n".join([text, *quirks])
