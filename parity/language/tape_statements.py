"""Statements of the tape: hooks, kept and assigned gradients, several roots, gradients as values.

Each says by which optional method of ``parity.engines.base.Engine`` an engine has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from parity._util.decode import Count, one_of
from parity.language.shapes import size
from parity.language.statements import Backward, State, Statement
from parity.language.values import Constant, Info, ProgramError, check_constant, info_of

#: What hooks return, by their kind, simplest first: nothing, or an operation on the gradient.
HOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "record": ("", {}),
    "double": ("add", {}),
    "shift": ("add_scalar", {"c": 1.0}),
}

Moved = Callable[[int], int]
#: Makes a gradient fit a value.
Fitting = Callable[[Constant | None, Info], Constant | None]


@dataclass(frozen=True, slots=True)
class TapeStatement(Statement):
    """A statement that an engine has if it has the optional method ``ability``."""

    ability: ClassVar[str]
    #: The fields that text writes without a name, in order.
    positionals: ClassVar[tuple[str, ...]] = ()
    #: The field of the values whose shape and dtype its gradients have.
    seeded: ClassVar[str] = ""
    #: The field that text writes as a handle before or after the call; "" for none.
    handle: ClassVar[str] = ""

    def fitted(self, fit: Fitting, infos: Sequence[Info]) -> Any:
        """Return the statement with gradients that fit."""
        return self

    def cost(self) -> int:
        """How much it has that a simpler one lacks."""
        return 0


def _older(value: int, rewires: bool) -> range:
    return range(value) if rewires else range(0)


def _is_hookable(state: State, value: int, what: str) -> None:
    if state.infos[value].requires_grad is not True:
        raise ProgramError(f"value {value} does not surely require a gradient: no {what}")
    if value in state.joint:
        raise ProgramError(f"value {value} is one of several results: no {what}")
    if state.recorded:
        raise ProgramError(f"a pass was recorded before: no {what}")


@dataclass(frozen=True, slots=True)
class Hook(TapeStatement):
    """Call a function with the gradient of a value in each pass: ``x.register_hook(f)``."""

    keyword: ClassVar[str] = "hook"
    ability: ClassVar[str] = "hook"
    positionals: ClassVar[tuple[str, ...]] = ("value",)
    handle: ClassVar[str] = "hook"
    value: int
    kind: Annotated[str, one_of(HOOKS)]
    #: The number by which ``remove`` names it.
    hook: Count

    def operands(self) -> tuple[int, ...]:
        return (self.value,)

    def change(self, state: State) -> None:
        _is_hookable(state, self.value, "hook")
        if self.hook in state.hooks:
            raise ProgramError(f"there is a hook {self.hook} already")
        state.hooks.add(self.hook)
        state.hooked[self.hook] = self.value

    def text(self, names: Sequence[str]) -> str:
        return f"h{self.hook} = hook({names[self.value]}, kind={self.kind!r})"

    def renumbered(self, moved: Moved) -> Statement:
        return replace(self, value=moved(self.value))

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        for kind in list(HOOKS)[: list(HOOKS).index(self.kind)]:
            yield replace(self, kind=kind)
        for value in _older(self.value, rewires):
            yield replace(self, value=value)

    def cost(self) -> int:
        return list(HOOKS).index(self.kind) + self.hook


@dataclass(frozen=True, slots=True)
class RemoveHook(TapeStatement):
    """Take a hook away: ``handle.remove()``."""

    keyword: ClassVar[str] = "remove"
    ability: ClassVar[str] = "hook"
    handle: ClassVar[str] = "hook"
    hook: Count

    def change(self, state: State) -> None:
        if state.hooked.pop(self.hook, None) is None:
            raise ProgramError(f"there is no hook {self.hook}")

    def text(self, names: Sequence[str]) -> str:
        return f"remove(h{self.hook})"


@dataclass(frozen=True, slots=True)
class RetainGrad(TapeStatement):
    """Keep the gradient of a computed value, which is observed from then on."""

    keyword: ClassVar[str] = "retain_grad"
    ability: ClassVar[str] = "retain_grad"
    positionals: ClassVar[tuple[str, ...]] = ("value",)
    value: int

    def operands(self) -> tuple[int, ...]:
        return (self.value,)

    def change(self, state: State) -> None:
        _is_hookable(state, self.value, "retain_grad")
        state.retains = True

    def renumbered(self, moved: Moved) -> Statement:
        return replace(self, value=moved(self.value))

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        for value in _older(self.value, rewires):
            yield replace(self, value=value)


@dataclass(frozen=True, slots=True)
class SetGrad(TapeStatement):
    """Give a leaf a gradient: ``x.grad = ...``. The array may be changed afterwards."""

    keyword: ClassVar[str] = "set_grad"
    ability: ClassVar[str] = "set_grad"
    positionals: ClassVar[tuple[str, ...]] = ("leaf",)
    seeded: ClassVar[str] = "leaf"
    leaf: int
    gradient: Constant

    def leaf_operands(self) -> tuple[int, ...]:
        return (self.leaf,)

    def change(self, state: State) -> None:
        if state.infos[self.leaf].requires_grad is not True:
            raise ProgramError(f"leaf {self.leaf} does not require a gradient")
        _check_gradients(state, (self.leaf,), (self.gradient,))
        state.has_gradient_array = True

    def text(self, names: Sequence[str]) -> str:
        return f"set_grad({names[self.leaf]}, gradient={_array(self.gradient)})"

    def with_leaves(self, moved: Moved) -> Statement:
        return replace(self, leaf=moved(self.leaf))

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        yield replace(self, gradient=_ones(self.gradient))
        for leaf in _older(self.leaf, rewires):
            yield replace(self, leaf=leaf)

    def fitted(self, fit: Fitting, infos: Sequence[Info]) -> SetGrad:
        return replace(self, gradient=fit(self.gradient, infos[self.leaf]) or self.gradient)

    def cost(self) -> int:
        return sum(v != 1.0 for v in self.gradient.values)


@dataclass(frozen=True, slots=True)
class Pass(TapeStatement):
    """A backward pass from several roots, with one gradient for each, or None."""

    seeded: ClassVar[str] = "roots"
    roots: tuple[int, ...]
    inputs: tuple[int, ...] | None
    gradients: tuple[Constant | None, ...] = ()
    retain_graph: bool = False
    create_graph: bool = False

    def seeds(self) -> tuple[Constant | None, ...]:
        """The gradients of the roots; all None if none is given."""
        return self.gradients or (None,) * len(self.roots)

    def check(self, state: State) -> None:
        """ProgramError if roots, gradients or flags make no sense."""
        if not self.roots:
            raise ProgramError("a pass needs a root")
        if any(state.infos[i].requires_grad is False for i in self.roots):
            raise ProgramError("a root does not require a gradient")
        if self.gradients and len(self.gradients) != len(self.roots):
            raise ProgramError(f"{len(self.gradients)} gradients for {len(self.roots)} roots")
        _check_gradients(state, self.roots, self.seeds())
        inputs = self.inputs
        if inputs is not None and not (inputs and len(set(inputs)) == len(inputs)):
            raise ProgramError("inputs are distinct, and at least one")
        for i in inputs or ():
            if state.infos[i].requires_grad is not True:
                raise ProgramError(f"value {i} does not surely require a gradient")
            if state.recorded and i >= state.leaves:
                raise ProgramError("after a recorded pass only leaves are asked for")
        if self.create_graph:
            state.record()

    def arguments(self, names: Sequence[str]) -> list[str]:
        """The arguments after the values, as text."""
        flags = ("retain_graph", "create_graph", "allow_unused")
        given = [f"gradients=[{', '.join(map(_array, self.gradients))}]"] * bool(self.gradients)
        return given + [f"{flag}=True" for flag in flags if getattr(self, flag, False)]

    def renumbered(self, moved: Moved) -> Statement:
        return replace(self, roots=tuple(map(moved, self.roots)))

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        for i in range(len(self.roots)) if len(self.roots) > 1 else ():
            kept = self.gradients[:i] + self.gradients[i + 1 :]
            yield replace(self, roots=self.roots[:i] + self.roots[i + 1 :], gradients=kept)
        yield replace(self, gradients=())
        yield replace(self, create_graph=False)
        yield replace(self, retain_graph=False)
        if self.gradients:
            yield replace(self, gradients=tuple(map(_ones, self.gradients)))
        for i, root in enumerate(self.roots):
            for value in _older(root, rewires):
                yield replace(self, roots=(*self.roots[:i], value, *self.roots[i + 1 :]))

    def fitted(self, fit: Fitting, infos: Sequence[Info]) -> Any:
        fitting = tuple(fit(g, infos[i]) for g, i in zip(self.seeds(), self.roots, strict=True))
        return replace(self, gradients=fitting if any(fitting) else ())

    def cost(self) -> int:
        given = [g for g in self.gradients if g is not None]
        return (
            2 * len(self.roots)
            + 2 * len(given)
            + 2 * (self.retain_graph + self.create_graph)
            + sum(v != 1.0 for g in given for v in g.values)
        )


@dataclass(frozen=True, slots=True)
class BackwardMany(Pass):
    """One backward from several values: ``torch.autograd.backward([y, z], [g, h])``.

    ``inputs``: the leaves whose gradients it adds to; all for None.
    """

    keyword: ClassVar[str] = "backward_many"
    ability: ClassVar[str] = "backward_many"
    positionals: ClassVar[tuple[str, ...]] = ("roots",)
    inputs: tuple[int, ...] | None = None

    def operands(self) -> tuple[int, ...]:
        return self.roots

    def leaf_operands(self) -> tuple[int, ...]:
        return self.inputs or ()

    def with_leaves(self, moved: Moved) -> Statement:
        return replace(self, inputs=self.inputs and tuple(map(moved, self.inputs)))

    def change(self, state: State) -> None:
        self.check(state)
        state.has_gradient_array = any(g is not None for g in self.gradients)

    def text(self, names: Sequence[str]) -> str:
        given = [_listed(self.roots, names), *self.arguments(names)]
        given += [] if self.inputs is None else [f"inputs={_listed(self.inputs, names)}"]
        return f"backward_many({', '.join(given)})"

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        if len(self.roots) == 1 and self.inputs is None:
            (gradient,), flags = self.seeds(), (self.retain_graph, self.create_graph)
            yield Backward(self.roots[0], gradient, *flags)
        yield from Pass.simpler(self, rewires)
        if self.inputs is not None:
            yield replace(self, inputs=None)
            for leaf in self.inputs if len(self.inputs) > 1 else ():
                yield replace(self, inputs=(leaf,))

    def cost(self) -> int:
        return Pass.cost(self) + (0 if self.inputs is None else 2 * len(self.inputs))


@dataclass(frozen=True, slots=True)
class Grad(Pass):
    """Gradients as values: ``torch.autograd.grad([y], [x, h])``; no leaf's gradient changes."""

    keyword: ClassVar[str] = "grad"
    ability: ClassVar[str] = "grad_of_values"
    positionals: ClassVar[tuple[str, ...]] = ("roots", "inputs")
    inputs: tuple[int, ...]
    allow_unused: bool = False

    def operands(self) -> tuple[int, ...]:
        return (*self.roots, *self.inputs)

    def renumbered(self, moved: Moved) -> Statement:
        roots, inputs = (tuple(map(moved, values)) for values in (self.roots, self.inputs))
        return replace(self, roots=roots, inputs=inputs)

    def change(self, state: State) -> None:
        self.check(state)
        hooked = {i for i in state.hooked.values() if i >= state.leaves}
        if not hooked.isdisjoint(self.inputs):
            # Whether PyTorch's result is before or after the hook hangs on the other inputs.
            raise ProgramError("no gradient is asked for a computed value that has a hook")
        if not state.joint.isdisjoint(self.inputs):
            raise ProgramError("no gradient is asked for one of several results")
        state.has_gradient_array = any(g is not None for g in self.gradients)

    def outputs(self, infos: Sequence[Info]) -> list[Info]:
        found = [infos[i] for i in self.inputs]
        requires = None if self.create_graph else False
        return [info_of(info.shape, info.dtype, requires) for info in found]

    def text(self, names: Sequence[str]) -> str:
        given = [_listed(self.roots, names), _listed(self.inputs, names), *self.arguments(names)]
        return f"grad({', '.join(given)})"

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        yield from Pass.simpler(self, rewires)
        yield replace(self, allow_unused=False)
        for i, old in enumerate(self.inputs):
            for value in _older(old, rewires):
                yield replace(self, inputs=(*self.inputs[:i], value, *self.inputs[i + 1 :]))

    def without_input(self, index: int) -> Grad:
        """Return the statement without one of its inputs, and so without a result."""
        return replace(self, inputs=self.inputs[:index] + self.inputs[index + 1 :])

    def cost(self) -> int:
        return Pass.cost(self) + 2 * len(self.inputs) + self.allow_unused


def with_hooks_in_order(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Return statements whose hooks have the numbers 0, 1, ... in their order."""
    numbers: dict[int, int] = {}
    result: list[Statement] = []
    for s in statements:
        if isinstance(s, (Hook, RemoveHook)):
            s = replace(s, hook=numbers.setdefault(s.hook, len(numbers)))
        result.append(s)
    return tuple(result)


#: The kinds of these statements by keyword.
TAPE_STATEMENTS: dict[str, type[TapeStatement]] = {
    cls.keyword: cls for cls in (Hook, RemoveHook, RetainGrad, SetGrad, BackwardMany, Grad)
}


def records(statement: Statement) -> bool:
    """Return whether a statement's results can be differentiated again."""
    return isinstance(statement, Grad) and statement.create_graph


def _check_gradients(
    state: State, values: Sequence[int], gradients: Sequence[Constant | None]
) -> None:
    for value, gradient in zip(values, gradients, strict=True):
        info = state.infos[value]
        if gradient is None:
            if size(info.shape) != 1:
                raise ProgramError(f"value {value} has no implied gradient")
            continue
        check_constant(gradient, "gradient")
        if (gradient.shape, gradient.dtype) != (info.shape, info.dtype):
            raise ProgramError(f"the gradient does not have the shape and dtype of value {value}")


def _array(gradient: Constant | None) -> str:
    """A gradient as text; its dtype is that of its value."""
    return "None" if gradient is None else str(replace(gradient, dtype="float64"))


def _ones(gradient: Any) -> Any:
    return None if gradient is None else replace(gradient, values=(1.0,) * len(gradient.values))


def _listed(values: Sequence[int], names: Sequence[str]) -> str:
    return f"[{', '.join(names[i] for i in values)}]"
