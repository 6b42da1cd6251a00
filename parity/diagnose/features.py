"""Features of programs: which steps of a tape they exercise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from parity.language import program as pr


def _applied(program: pr.Program) -> list[pr.Apply]:
    return [s for s in program.statements if isinstance(s, pr.Apply)]


def _computing(program: pr.Program) -> list[pr.Statement]:
    return [s for s in program.statements if isinstance(s, (pr.Apply, pr.InPlace, pr.User))]


def _backwards(program: pr.Program) -> list[pr.Backward]:
    return [s for s in program.statements if isinstance(s, pr.Backward)]


def _has(*kinds: type[pr.Statement]) -> Callable[[pr.Program], bool]:
    return lambda program: any(isinstance(s, kinds) for s in program.statements)


def _reuses(program: pr.Program) -> bool:
    uses = Counter(i for s in _computing(program) for i in s.operands())
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
        or _has(pr.Detach, pr.DetachInPlace, pr.Enter, pr.TakeGrad, pr.Grad)(program)
    )


def _has_odd_seed(program: pr.Program) -> bool:
    """Whether some root gets a gradient of another shape, or none though it is not 0-d."""
    shapes = [info.shape for info in program.infos]
    return any(
        shapes[root] != (() if gradient is None else gradient.shape)
        for root, gradient in _seeds(program)
    )


def _seeds(program: pr.Program) -> list[tuple[int, pr.Constant | None]]:
    """The roots of all passes with their gradients."""
    passes = (s for s in program.statements if isinstance(s, pr.Pass))
    several = [pair for s in passes for pair in zip(s.roots, s.seeds(), strict=True)]
    return [*((s.value, s.gradient) for s in _backwards(program)), *several]


def _passes(program: pr.Program) -> list[pr.Statement]:
    kinds = (pr.Backward, pr.Pass, pr.SetGrad)
    return [s for s in program.statements if isinstance(s, kinds)]


_FEATURES: dict[str, Callable[[pr.Program], bool]] = {
    "any": lambda p: True,
    "branches": lambda p: any(len(s.operands()) > 1 for s in _computing(p)),
    "unary": lambda p: any(len(s.operands()) == 1 for s in _computing(p)),
    "reuse": _reuses,
    "twice": lambda p: any(len(set(s.operands())) < len(s.operands()) for s in _computing(p)),
    "again": lambda p: len(_passes(p)) > 1,
    "leaf-root": lambda p: any(root < len(p.leaves) for root, _ in _seeds(p)),
    "gradient": lambda p: any(gradient is not None for _, gradient in _seeds(p)),
    "default": lambda p: any(gradient is None for _, gradient in _seeds(p)),
    "odd-seed": _has_odd_seed,
    "second": lambda p: any(getattr(s, "create_graph", False) for s in p.statements),
    "clear": _has(pr.Clear),
    "zero": _has(pr.Zero),
    "change_grad": _has(pr.ChangeGrad),
    "change_gradient": _has(pr.ChangeGradient),
    **{cls.keyword: _has(cls) for cls in pr.TAPE_STATEMENTS.values()},
    "constants": _has_constants,
    "blocks": _has(pr.Enter),
    "in-place": _has(pr.InPlace, pr.DetachInPlace),
    "user": _has(pr.User),
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
