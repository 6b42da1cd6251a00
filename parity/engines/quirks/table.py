"""Documented dialects: where an engine differs from PyTorch on purpose.

An engine names its quirks in ``Engine.quirks``. Each changes what is expected of it,
exactly as far as its words go: the reference is wrapped so that it behaves in the same
dialect, and the comparison stays as strict as ever. What is static is no quirk:
``Engine.dtypes`` and ``Engine.max_ndim`` say that an engine has float64 or scalars only.
"""

from __future__ import annotations

import numpy as np

from parity.engines.base import Engine
from parity.engines.quirks.base import Quirk
from parity.engines.quirks.gradients import (
    ClearsGradsOnBackward,
    ClearsGradsOnUse,
    ClearsGradsOnUseExceptViews,
    KeepsIntermediateGrads,
    SeedsAnyShapeWithOnes,
    ZerosInsteadOfNone,
)
from parity.engines.quirks.graphs import (
    ClearsGraphs,
    ConstantsStopQuietly,
    KeepsGraphs,
    NoGradGivesVariables,
)
from parity.engines.quirks.ties import SETTLED, ClipTiesNeither, first_of, of_operands

_CLASSES: tuple[type[Quirk], ...] = (
    ClearsGradsOnUse,
    ClearsGradsOnUseExceptViews,
    SeedsAnyShapeWithOnes,
    ZerosInsteadOfNone,
    ClearsGradsOnBackward,
    KeepsIntermediateGrads,
    ConstantsStopQuietly,
    NoGradGivesVariables,
    KeepsGraphs,
    ClearsGraphs,
    ClipTiesNeither,
    first_of("max", np.argmax),
    first_of("min", np.argmin),
    *(of_operands(op, kind) for op in ("maximum", "minimum") for kind in SETTLED),
)
#: All quirks by name. Where an engine has several, the first are the outermost.
QUIRKS: dict[str, type[Quirk]] = {cls.quirk: cls for cls in _CLASSES}


def descriptions(quirks: frozenset[str]) -> dict[str, str]:
    """What each quirk means, by name in alphabetical order."""
    return {name: QUIRKS[name].description for name in sorted(quirks)}


def contradicting(quirks: frozenset[str]) -> tuple[str, ...]:
    """Quirks that an engine cannot have at once; empty if there are none."""
    for name in sorted(quirks):
        about = QUIRKS[name].about
        alike = tuple(q for q in sorted(quirks) if about and QUIRKS[q].about == about)
        if len(alike) > 1:
            return alike
    return ()


def with_quirks(reference: Engine, quirks: frozenset[str]) -> Engine:
    """An engine that does what ``reference`` does, in the dialect of ``quirks``.

    Quirks that the reference has by itself are left as they are. Without others it is
    ``reference``; with them it is the same object each time. KeyError for an unknown name.
    """
    new = frozenset(quirks) - reference.quirks - {KeepsIntermediateGrads.quirk}
    if not new:
        return reference
    dialects: dict[frozenset[str], Engine] = vars(reference).setdefault("_dialects", {})
    if new not in dialects:
        unknown = new - QUIRKS.keys()
        if unknown:
            raise KeyError(f"no quirk is called {', '.join(sorted(unknown))}")
        bases = tuple(cls for name, cls in QUIRKS.items() if name in new)
        dialects[new] = type("Dialect", bases, {})(reference, new)
    return dialects[new]


def without_quirks(reference: Engine) -> Engine:
    """The engine to which ``with_quirks`` added a dialect."""
    return reference.inner if isinstance(reference, Quirk) else reference
