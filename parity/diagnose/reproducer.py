"""Write a finding as a Python script that runs with the engine and PyTorch, without parity.

The script contains the program as calls of the engine and as calls of PyTorch, and the source
code of the adapter with every module of parity that it imports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from parity.diagnose.reproducer_template import (
    FLAKY_RESULT,
    ISOLATED_RUN,
    LOAD_REFERENCE,
    RESULT,
    SCRIPT,
)
from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.sources import adapter_of
from parity.language import program as pr
from parity.language.table import OPS, keywords
from parity.oracle.finding import Finding, Repeats

#: Seconds that a script may take to start, in addition to the time limit of a program.
_START = 20
#: Runs of a flaky program in a script.
_FEWEST_RUNS, _MOST_RUNS = 100, 5000


def script(program: pr.Program, finding: Finding, engine: AnyEngine, file: str) -> str:
    """Return the text of a reproducer script with the name ``file``.

    It exits with status 1 while the engine differs from PyTorch, and with 0 once they agree.
    EngineError says that the source code of the engine cannot be read.
    """
    names = program.value_names
    observed = "" if finding.what in ("gradient", "exception") else names[finding.which]
    side = _TorchSide(engine.quirks)
    adapter = adapter_of(engine, side.modules)
    used = sorted({s.op for s in program.statements if isinstance(s, pr.Apply)})
    version = f"{engine.name} {engine.version}".rstrip()
    title = f"{finding.kind}: {finding.says} ({version})"
    sources = adapter.sources.items()
    return SCRIPT.format(
        title=_escaped(title),
        text=_escaped(str(program) + side.text),
        file=file,
        table="\n".join(f"    {name!r}: {OPS[name].source}," for name in used),
        engine=_body(EngineLines(program, names), finding),
        engine_result=_result(finding, observed, "engine.grad({})", "engine.value({})"),
        torch=_body(side.lines(program, names), finding),
        torch_result=_result(finding, observed, *side.forms),
        parameter=side.parameter,
        argument=side.argument,
        load_reference=side.load,
        reference_name=side.name,
        sources="\n".join(f"    {name!r}: {_quoted(text)}," for name, text in sources),
        packages=adapter.packages,
        folders=adapter.folders,
        module=adapter.module,
        cls=adapter.cls,
        isolated_run=_isolated_run(engine) if finding.stopped else "",
        run_engine="run_isolated()" if finding.stopped else "run(on_engine, engine)",
        allowed=0.0 if finding.allowed is None else np.asarray(finding.allowed).tolist(),
        agree=_agreement(program, finding),
        observed=_observed(finding, observed),
        result=RESULT if finding.repeats is None else _flaky_result(finding.repeats),
    )


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


class _TorchSide:
    """PyTorch's side of a script: PyTorch itself, or PyTorch with the quirks of the engine."""

    modules: tuple[str, ...] = ()
    text = parameter = argument = load = ""
    name = "torch"
    forms = ("{}.grad", "{}.detach()")

    def __init__(self, quirks: frozenset[str]) -> None:
        self.lines: Callable[[pr.Program, list[str]], EngineLines] = TorchLines
        if not quirks:
            return
        self.lines = partial(EngineLines, variable="reference")
        self.modules = ("parity.engines.quirks.table", "parity.engines.adapters.torch")
        listed = "".join(f"\n    {name}: {text}" for name, text in descriptions(quirks).items())
        self.text = f"\n\nPyTorch runs with the quirks of the engine:\n{listed}"
        self.parameter, self.argument = "reference", ", load_reference()"
        self.load = LOAD_REFERENCE.format(quirks=sorted(quirks))
        self.name = "torch, with the quirks of the engine"
        self.forms = ("reference.grad({})", "reference.value({})")


def _isolated_run(engine: AnyEngine) -> str:
    limits = as_runner(engine).limits
    return ISOLATED_RUN.format(seconds=limits.seconds + _START, megabytes=limits.megabytes)


def _flaky_result(repeats: Repeats) -> str:
    """Return the lines that run the program so often that the difference comes several times."""
    runs = min(_MOST_RUNS, 10 * -(-repeats.runs // repeats.differ))
    return FLAKY_RESULT.format(runs=max(_FEWEST_RUNS, runs))


def _escaped(text: str) -> str:
    """Escape text for a docstring."""
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _agreement(program: pr.Program, finding: Finding) -> str:
    """Return the expression for whether results agree of which one is no array."""
    if finding.stopped:
        return "a is None"
    if finding.what == "exception":
        return "isinstance(a, str) == isinstance(b, str)"
    statement = (*program.statements, None)[finding.statement]
    if isinstance(statement, (pr.Clear, pr.Zero)):
        return "a is None and b is None"
    # After a backward a gradient of None equals one of zeros.
    return "not isinstance(a, str) and not isinstance(b, str) and small(a) and small(b)"


def _observed(finding: Finding, name: str) -> str:
    """Return the heading of the two results."""
    if finding.stopped:
        return "how the engine's process ended:"
    texts = {
        "value": f"the value of {name}:",
        "grad": f"the gradient of {name}:",
        "held": f"the gradient of {name} that was read before it was zeroed:",
        "gradient": "the array passed to backward:",
        "exception": "the exception:",
    }
    return texts[finding.what]


def _result(finding: Finding, name: str, grad: str, value: str) -> str:
    """Return the expression of the observed result."""
    forms = {"grad": grad, "value": value, "held": 'held["{}"]', "exception": "None"}
    return forms.get(finding.what, "gradient").format(name)


def _body(lines: EngineLines, finding: Finding) -> str:
    """Return the body of a function that runs the program up to the finding."""
    text: list[str] = lines.leaves()
    for number, statement in enumerate(lines.program.statements[: finding.statement + 1]):
        text += lines.statement(number, statement)
    return "\n".join("    " + line for line in text)


def _quoted(text: str) -> str:
    """Return a string literal, triple-quoted where the text allows it, to be readable."""
    if '"""' not in text and not text.endswith('"') and "\\" not in text:
        return f'"""\n{text}"""'
    if "'''" not in text and not text.endswith("'") and "\\" not in text:
        return f"'''\n{text}'''"
    return repr(text)
