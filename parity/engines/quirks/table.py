"""All quirks by name, and ``with_quirks``, which applies them to the reference.

The comparison with the wrapped reference is as strict as without quirks. Missing dtypes or
dimensions are not quirks: ``Engine.dtypes`` and ``Engine.max_ndim`` declare them.
"""

from __future__ import annotations

from parity.engines.base import Engine, ProgramEngine
from parity.engines.quirks import gradients, graphs, ties
from parity.engines.quirks.base import Quirk

_CLASSES: tuple[type[Quirk], ...] = (
    gradients.ClearsGradsOnUse,
    gradients.ClearsGradsOnUseExceptViews,
    gradients.SeedsAnyShapeWithOnes,
    gradients.ZerosInsteadOfNone,
    gradients.ClearsGradsOnBackward,
    gradients.KeepsIntermediateGrads,
    graphs.ConstantsStopQuietly,
    graphs.NoGradGivesVariables,
    graphs.KeepsGraphs,
    graphs.ClearsGraphs,
    *map(ties.quirk_of, ties.CHOICES),
)
#: All quirks by name. If an engine has several, the first of them here are the outermost wrappers.
QUIRKS: dict[str, type[Quirk]] = {cls.quirk: cls for cls in _CLASSES}


def descriptions(quirks: frozenset[str]) -> dict[str, str]:
    """Return the description of each quirk by name, in alphabetical order."""
    return {name: QUIRKS[name].description for name in sorted(quirks)}


def contradicting(quirks: frozenset[str]) -> tuple[str, ...]:
    """Return quirks of a set that exclude each other; empty if there are none."""
    of_rule: dict[str, list[str]] = {}
    for name in sorted(quirks):
        of_rule.setdefault(QUIRKS[name].about or name, []).append(name)
    return next((tuple(names) for names in of_rule.values() if len(names) > 1), ())


def with_quirks(reference: Engine, quirks: frozenset[str]) -> Engine:
    """Return ``reference`` wrapped so that it has the quirks too, the same wrapper each time.

    The quirks that it has already are left out. Raises KeyError if one is unknown.
    """
    new = frozenset(quirks) - reference.quirks - {gradients.KeepsIntermediateGrads.quirk}
    if not new or isinstance(reference, ProgramEngine):
        return reference
    wrappers: dict[frozenset[str], Engine] = vars(reference).setdefault("_with_quirks", {})
    if new not in wrappers:
        if unknown := new - QUIRKS.keys():
            raise KeyError(f"no quirk is called {', '.join(sorted(unknown))}")
        bases = tuple(cls for name, cls in QUIRKS.items() if name in new)
        wrappers[new] = type("WithQuirks", bases, {})(reference, new)
    return wrappers[new]
