"""Programs as lines of Python, for reproducer scripts: calls of an engine or of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parity.language import program as pr
from parity.language.table import keywords


def array_literal(constant: pr.Constant) -> str:
    """Return a constant as an expression with NumPy."""
    dtype = "" if constant.dtype == "float64" else f", np.{constant.dtype}"
    if not constant.values:
        return f"np.zeros({constant.shape}{dtype})"
    return f"np.array({constant.array().tolist()!r}{dtype})"


class EngineLines:
    """A program as calls of the methods of ``parity.engines.Engine``."""

    def __init__(self, program: pr.Program, names: list[str], variable: str = "engine") -> None:
        self.program = program
        self.names = names
        self.variable = variable  # that of the engine in the script
        self.defined = program.defined

    def leaves(self) -> list[str]:
        """Return the lines that create the leaves."""
        named = zip(self.names, self.program.leaves, strict=False)
        return [f"{name} = {self.leaf(leaf, array_literal(leaf))}" for name, leaf in named]

    def statement(self, number: int, s: Any) -> list[str]:
        """Return the lines of one statement."""
        outputs = ", ".join(self.names[i] for i in self.defined[number])
        if isinstance(s, pr.Apply):
            arguments = [self.names[i] for i in s.inputs]
            arguments += [f"{k}={v!r}" for k, v in keywords(s.op, s.attrs).items()]
            call = f"{outputs} = {self.function(s.op)}({', '.join(arguments)})"
            return self.under_no_grad(call, self.defined[number]) if s.no_grad else [call]
        if isinstance(s, pr.Backward):
            flags = "".join(
                f", {k}=True" for k in ("retain_graph", "create_graph") if getattr(s, k)
            )
            lines = [] if s.gradient is None else [f"gradient = {array_literal(s.gradient)}"]
            lines.append(self.backward(self.names[s.value], s.gradient is not None, flags))
            last = number + 1 == len(self.program.statements)
            return lines if last else [*lines, *self.read_gradients()]
        if isinstance(s, pr.Drop):
            return [f"del {self.names[s.value]}"]
        if isinstance(s, pr.ChangeGradient):
            return ["gradient *= 2", "gradient += 1"]
        if isinstance(s, pr.Detach):
            return [f"{outputs} = {self.detach(self.names[s.value])}"]
        leaves = [self.names[i] for i in pr.leaf_operands(s)]
        return [line for leaf in leaves for line in self.event(s, leaf, outputs)]

    def under_no_grad(self, call: str, outputs: Sequence[int]) -> list[str]:
        """Return the lines that run a call under ``no_grad``."""
        return [f"with {self.variable}.no_grad():", f"    {call}"]

    def leaf(self, leaf: pr.Leaf, array: str) -> str:
        return f"{self.variable}.leaf({array}{'' if leaf.requires_grad else ', False'})"

    def function(self, op: str) -> str:
        return f"{self.variable}.ops[{op!r}]"

    def backward(self, root: str, gradient: bool, flags: str) -> str:
        return f"{self.variable}.backward({root}, {'gradient' if gradient else 'None'}{flags})"

    def detach(self, value: str) -> str:
        return f"{self.variable}.detach({value})"

    def read_gradients(self) -> list[str]:
        """Return the lines that read all gradients, as ``parity`` does after each backward."""
        leaves = ", ".join(self.names[: len(self.program.leaves)])
        return [f"list(map({self.variable}.grad, [{leaves}]))  # some engines compute them here"]

    def event(self, s: Any, leaf: str, outputs: str) -> list[str]:
        """Return the lines of an event on one leaf."""
        grad = f"{self.variable}.grad({leaf})"
        zeroed = [f"if {grad} is not None:", f"    {self.variable}.zero_grad({leaf})"]
        return {
            pr.TakeGrad: [f"{outputs} = {self.variable}.grad_tensor({leaf})"],
            pr.Clear: [f"{self.variable}.clear_grad({leaf})"],
            pr.Zero: [f'held["{leaf}"] = {grad}', *zeroed],
            pr.ChangeGrad: [f"buffer = {grad}", "buffer *= 2", "buffer += 1"],
        }[type(s)]


class TorchLines(EngineLines):
    """A program as calls of PyTorch itself."""

    def under_no_grad(self, call: str, outputs: Sequence[int]) -> list[str]:
        # A view of a leaf still requires a gradient (docs/semantics.md 6.3).
        constants = [f"{self.names[i]} = {self.names[i]}.detach()" for i in outputs]
        return ["with torch.no_grad():", f"    {call}", *constants]

    def leaf(self, leaf: pr.Leaf, array: str) -> str:
        return f"torch.tensor({array}, requires_grad={leaf.requires_grad})"

    def leaves(self) -> list[str]:
        # PyTorch may let leaves share the memory of a gradient (docs/semantics.md 3).
        named = zip(self.names, self.program.leaves, strict=False)
        hooks = [f"{name}.register_hook(torch.clone)" for name, leaf in named if leaf.requires_grad]
        return super().leaves() + hooks

    def function(self, op: str) -> str:
        return f"TORCH[{op!r}]"

    def backward(self, root: str, gradient: bool, flags: str) -> str:
        return f"{root}.backward({'torch.tensor(gradient)' if gradient else 'None'}{flags})"

    def detach(self, value: str) -> str:
        return f"{value}.detach()"

    def read_gradients(self) -> list[str]:
        return []

    def event(self, s: Any, leaf: str, outputs: str) -> list[str]:
        zeroed = [f"if {leaf}.grad is not None:", f"    {leaf}.grad.zero_()"]
        return {
            pr.TakeGrad: [f"{outputs} = {leaf}.grad"],
            pr.Clear: [f"{leaf}.grad = None"],
            pr.Zero: [f'held["{leaf}"] = {leaf}.grad', *zeroed],
            pr.ChangeGrad: [f"{leaf}.grad.mul_(2).add_(1)"],
        }[type(s)]
