"""The steps of a tape with their wrong values: what the fit chooses from, and the score draws.

A right tape has the right value of each parameter; an engine has at most one wrong value of each.
A combination is a class that inherits from one value of each of several parameters (``combined``).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parity.diagnose.defects import (
    accumulation,
    aliasing,
    broadcasting,
    clearing,
    modes,
    operations,
    roots,
    second_order,
    shapes,
    traversal,
)
from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.vjps import RULES, Rule


@dataclass(frozen=True)
class Parameter:
    """A step of the tape.

    Attributes
    ----------
    name
        The step in words.
    values
        Its wrong values, of which an engine has one at most.
    when
        Features of programs (``parity.diagnose.features``); a value shows only in a program that
        has one of them.
    quirks
        Wrong values that are conventions of other engines, by the names of their quirks.
    """

    name: str
    values: tuple[type[Defect], ...]
    when: frozenset[str]
    quirks: tuple[str, ...] = ()


def _parameter(
    name: str, when: str, *values: type[Defect], quirks: tuple[str, ...] = ()
) -> Parameter:
    return Parameter(name, values, frozenset(when.split()), quirks)


#: The parameters. Where two values override the same step, that of the earlier one runs first and
#: calls that of the later one.
PARAMETERS: tuple[Parameter, ...] = (
    _parameter(
        "order of traversal",
        "branches",
        traversal.CreationOrderIgnored,
        traversal.SendsAgain,
        traversal.DepthFirst,
        traversal.GenerationOfOneOperand,
        traversal.OnePassAPath,
        traversal.Recursion,
    ),
    _parameter(
        "root that is a leaf",
        "leaf-root",
        roots.RootLeafRaises,
        roots.RootLeafIgnored,
        accumulation.RootLeafOverwritten,
    ),
    _parameter(
        "gradients of intermediates",
        "again reuse",
        accumulation.StaleIntermediates,
        accumulation.IntermediatesSentAgain,
        accumulation.MicrogradBackward,
    ),
    _parameter("gradient of the root", "again", accumulation.StaleRoot),
    _parameter(
        "default gradient", "default", roots.DefaultGradientScalar, roots.DefaultGradientHeld
    ),
    _parameter(
        "gradient given by the user",
        "gradient",
        roots.UserGradientIgnored,
        roots.UserGradientUnchecked,
    ),
    _parameter(
        "array of the user",
        "gradient",
        aliasing.UserGradientKept,
        aliasing.UserGradientViewKept,
    ),
    _parameter(
        "same object twice as operand",
        "twice",
        traversal.SameOperandOnce,
        traversal.SameOperandDoubled,
    ),
    _parameter("what a node sends", "unary", traversal.PreviousGradientSent),
    _parameter(
        "accumulation within a pass",
        "reuse again",
        traversal.Overwrite,
        traversal.InplaceAccumulation,
        traversal.MeanAccumulated,
    ),
    _parameter(
        "first contribution",
        "again reuse change_grad change_gradient zero",
        aliasing.SiblingsShare,
        aliasing.RootGradientShared,
    ),
    _parameter(
        "zeroing",
        "zero change_grad",
        clearing.ZeroDoesNothing,
        clearing.ZeroReplaces,
        clearing.ZeroClears,
        clearing.ZeroesSiblings,
        clearing.ZeroUndone,
        clearing.ZeroStopsAccumulation,
    ),
    _parameter(
        "clearing",
        "clear",
        clearing.ClearDoesNothing,
        clearing.ClearsFirstLeafOnly,
        clearing.ClearLeavesZeroScalar,
        clearing.ClearUndone,
    ),
    _parameter(
        "gradients after a second backward",
        "again",
        accumulation.SecondBackwardOverwrites,
        accumulation.OldGradientDoubled,
    ),
    _parameter(
        "freeing",
        "again",
        traversal.GraphKept,
        traversal.NodeCleared,
        traversal.FreedStopsQuietly,
        quirks=("clears-graphs",),
    ),
    _parameter(
        "several outputs",
        "outputs",
        operations.UnusedOutputCrashes,
        operations.SiblingsGradientUsed,
    ),
    _parameter("detach", "constants", modes.DetachPropagates),
    _parameter("constants", "constants", modes.ConstantGetsGradient),
    _parameter(
        "no_grad",
        "constants",
        modes.NoGradIgnored,
        modes.NoGradNotRestored,
        modes.NestedNoGrad,
        modes.NestedNoGradKept,
        quirks=("no-grad-gives-variables",),
    ),
    _parameter("root that is a constant", "constants", quirks=("constants-stop-quietly",)),
    _parameter(
        "unbroadcast",
        "broadcast odd-seed",
        broadcasting.NotUndone,
        broadcasting.UndoneByMean,
        broadcasting.FirstElement,
        broadcasting.WrongAxis,
        broadcasting.LengthOneKept,
        broadcasting.RightOnly,
        broadcasting.OneOperationOnly,
        shapes.ScalarGetsVector,
    ),
    _parameter(
        "dtype of gradients",
        "float32",
        shapes.Float32Widened,
        shapes.GradientDtypeOfResult,
        shapes.DtypeOfOtherOperand,
    ),
    _parameter("shape of a 0-d gradient", "0-d odd-seed", shapes.ZeroDimBecomesVector),
    _parameter("Python numbers", "scalar", shapes.PythonScalarsPromote),
    _parameter(
        "second order",
        "second",
        second_order.FirstOrderAgain,
        second_order.SavedResultDetached,
        second_order.CrossTermLost,
    ),
    _parameter("no gradient yet", "any", quirks=("zeros-instead-of-none",)),
    _parameter(
        "use of a variable",
        "any",
        quirks=("clears-grads-on-use", "clears-grads-on-use-except-views"),
    ),
)


def combined(parts: Sequence[type[Defect]], **attributes: Any) -> type[Defect]:
    """Return a class with the faults of all ``parts``, which are values of several parameters."""
    return _combined(tuple(parts)) if not attributes else _class(tuple(parts), attributes)


@functools.lru_cache(maxsize=4096)
def _combined(parts: tuple[type[Defect], ...]) -> type[Defect]:
    return _class(parts, {})


def _class(parts: tuple[type[Defect], ...], attributes: Mapping[str, Any]) -> type[Defect]:
    ranks = {id(part): _RANK.get(part, len(PARAMETERS)) for part in parts}
    ordered = tuple(sorted(parts, key=lambda part: ranks[id(part)]))
    defaults = {
        "name": " + ".join(part.name for part in ordered),
        "description": "; and ".join(part.description for part in ordered),
        "rules": _rules(ordered),
        "__module__": __name__,
    }
    return type("Combination", ordered or (Defect,), {**defaults, **attributes})


def _rules(parts: Sequence[type[Defect]]) -> Mapping[str, Rule]:
    """Return the rules with those that any part has changed."""
    rules = dict(RULES)
    for part in reversed(parts):
        rules |= {name: rule for name, rule in part.rules.items() if rule is not RULES.get(name)}
    return rules


#: The place of each value and of its forms among the parameters.
_RANK: dict[type[Defect], int] = {
    cls: rank
    for rank, parameter in enumerate(PARAMETERS)
    for value in parameter.values
    for cls in (value, *vars(value).get("forms", ()))
}
