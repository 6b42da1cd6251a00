"""Features of programs: which steps of a tape they exercise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from parity.language import program as pr


def _applied(program: pr.Program) -> list[pr.Apply]:
    return [s for s in program.statements if isinstance(s, pr.Apply)]


def _backwards(program: pr.Program) -> list[pr.Backward]:
    return [s for s in program.statements if isinstance(s, pr.Backward)]


def _has(*kinds: type[pr.Statement]) -> Callable[[pr.Program], bool]:
    return lambda program: any(isinstance(s, kinds) for s in program.statements)


def _reuses(program: pr.Program) -> bool:
    uses = Counter(i for s in _applied(program) for i in s.inputs)
    return max(uses.values(), default=0) > 1


def _broadcasts(program: pr.Program) -> bool:
    infos = program.infos
    return any(
        infos[i].shape != infos[outputs[0]].shape
        for s, outputs in zip(program.statements, program.defined, strict=True)
        if isinstance(s, pr.Apply)
        for i in s.inputs
    )


def _has_constants(program: pr.Program) -> bool:
    return (
        not all(leaf.requires_grad for leaf in program.leaves)
        or any(s.no_grad for s in _applied(program))
        or _has(pr.Detach, pr.TakeGrad)(program)
    )


def _has_odd_seed(program: pr.Program) -> bool:
    """Whether some root gets a gradient of another shape, or none though it is not 0-d."""
    shapes = [info.shape for info in program.infos]
    return any(
        shapes[s.value] != (() if s.gradient is None else s.gradient.shape)
        for s in _backwards(program)
    )


_FEATURES: dict[str, Callable[[pr.Program], bool]] = {
    "any": lambda p: True,
    "branches": lambda p: any(len(s.inputs) > 1 for s in _applied(p)),
    "unary": lambda p: any(len(s.inputs) == 1 for s in _applied(p)),
    "reuse": _reuses,
    "twice": lambda p: any(len(set(s.inputs)) < len(s.inputs) for s in _applied(p)),
    "again": lambda p: len(_backwards(p)) > 1,
    "leaf-root": lambda p: any(s.value < len(p.leaves) for s in _backwards(p)),
    "gradient": lambda p: any(s.gradient is not None for s in _backwards(p)),
    "default": lambda p: any(s.gradient is None for s in _backwards(p)),
    "odd-seed": _has_odd_seed,
    "second": lambda p: any(s.create_graph for s in _backwards(p)),
    "clear": _has(pr.Clear),
    "zero": _has(pr.Zero),
    "change_grad": _has(pr.ChangeGrad),
    "change_gradient": _has(pr.ChangeGradient),
    "constants": _has_constants,
    "outputs": lambda p: any(len(values) > 1 for values in p.defined),
    "broadcast": _broadcasts,
    "float32": lambda p: any(leaf.dtype == "float32" for leaf in p.leaves),
    "0-d": lambda p: any(leaf.shape == () for leaf in p.leaves),
    "scalar": lambda p: any(s.op.endswith("_scalar") for s in _applied(p)),
}


def features_of(program: pr.Program) -> frozenset[str]:
    """Return the names of the features that a program has."""
    found = {name for name, has in _FEATURES.items() if has(program)}
    return frozenset(found | _IN_FORMULAS if "second" in found else found)


#: What formulas of gradients have, which are differentiated in second order.
_IN_FORMULAS = frozenset({"branches", "unary", "reuse", "twice", "again", "broadcast", "scalar"})
