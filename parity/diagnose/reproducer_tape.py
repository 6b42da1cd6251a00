"""Statements of the tape in reproducer scripts, as calls of an engine and as calls of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parity.language import program as pr


@dataclass(frozen=True)
class TapeLines:
    """How one side writes these statements; ``e`` is its variable of the engine."""

    e: str
    names: Sequence[str]
    #: Writes an array as an expression with NumPy.
    array: Callable[[pr.Constant], str]
    #: Lines, for ``str.format``.
    hook: str
    retain: str
    assign: str
    many: str
    grad: str
    seed: str = "{}"
    value: str = "{e}.value(g)"
    #: What a hook returns, by its kind.
    returns: tuple[tuple[str, str], ...] = ()

    def lines(self, s: pr.TapeStatement, outputs: str) -> list[str]:
        """Return the lines of a statement; ``outputs``: the names of its results."""
        lines: list[str] = getattr(self, f"_{s.keyword}")(s)
        return [
            f"{outputs} = {lines[-1]}" if one is lines[-1] and outputs else one for one in lines
        ]

    def _hook(self, s: pr.Hook) -> list[str]:
        hook = f"h{s.hook}"
        return [
            f'calls["{hook}"] = []',
            f"def function(g, calls=calls[{hook!r}]):",
            f"    calls.append(np.array({self.value.format(e=self.e)}))",
            f"    return {dict(self.returns)[s.kind].format(e=self.e)}",
            f"{hook} = {self.hook.format(e=self.e, x=self.names[s.value], function='function')}",
        ]

    def _remove(self, s: pr.RemoveHook) -> list[str]:
        return [f"h{s.hook}.remove()"]

    def _retain_grad(self, s: pr.RetainGrad) -> list[str]:
        return [self.retain.format(e=self.e, x=self.names[s.value])]

    def _set_grad(self, s: pr.SetGrad) -> list[str]:
        gradient = self.seed.format("gradient")
        assign = self.assign.format(e=self.e, x=self.names[s.leaf], gradient=gradient)
        return [f"gradient = {self.array(s.gradient)}", assign]

    def _given(self, s: pr.Pass) -> tuple[list[str], dict[str, str]]:
        """The lines before a pass, and its arguments."""
        lines = ["for called in calls.values():", "    called.clear()"]
        seeds: list[str] = []
        for number, gradient in enumerate(s.seeds()):
            seeds.append("None" if gradient is None else self.seed.format(f"gradient{number}"))
            if gradient is not None:
                lines.append(f"gradient = gradient{number} = {self.array(gradient)}")
        flags = ("retain_graph", "create_graph", "allow_unused")
        return lines, {
            "e": self.e,
            "roots": self._list(s.roots),
            "seeds": f"[{', '.join(seeds)}]",
            "inputs": "None" if s.inputs is None else self._list(s.inputs),
            "flags": "".join(f", {f}=True" for f in flags if getattr(s, f, False)),
        }

    def _backward_many(self, s: pr.BackwardMany) -> list[str]:
        lines, form = self._given(s)
        return [*lines, self.many.format(**form)]

    def _grad(self, s: pr.Grad) -> list[str]:
        lines, form = self._given(s)
        return [*lines, self.grad.format(**form) + ("[0]" if len(s.inputs) == 1 else "")]

    def _list(self, values: Sequence[int]) -> str:
        return f"[{', '.join(self.names[i] for i in values)}]"


#: The forms of an engine, and of PyTorch itself.
ENGINE = {
    "hook": "{e}.hook({x}, {function})",
    "retain": "{e}.retain_grad({x})",
    "assign": "{e}.set_grad({x}, {gradient})",
    "many": "{e}.backward_many({roots}, {seeds}, inputs={inputs}{flags})",
    "grad": "{e}.grad_of_values({roots}, {inputs}, {seeds}{flags})",
    "returns": (
        ("record", "None"),
        ("double", '{e}.ops["add"](g, g)'),
        ("shift", '{e}.ops["add_scalar"](g, c=1.0)'),
    ),
}
TORCH = {
    "hook": "{x}.register_hook({function})",
    "retain": "{x}.retain_grad()",
    "assign": "{x}.grad = {gradient}",
    "many": "torch.autograd.backward({roots}, {seeds}, inputs={inputs}{flags})",
    "grad": "torch.autograd.grad({roots}, {inputs}, {seeds}{flags})",
    "seed": "torch.tensor({})",
    "value": "g.detach().numpy()",
    "returns": (("record", "None"), ("double", "g + g"), ("shift", "g + 1")),
}
