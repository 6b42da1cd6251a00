"""Write a finding as a Python script that runs with the engine and PyTorch, without parity.

The script contains the program as calls of the engine and as calls of PyTorch, and the source
code of the adapter with every module of parity that it imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from parity._util.escape import docstring, one_line
from parity.diagnose.reproducer_template import (
    FLAKY_RESULT,
    ISOLATED_RUN,
    LOAD_REFERENCE,
    READ,
    RESULT,
    SCRIPT,
)
from parity.engines.base import label
from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.sources import adapter_of
from parity.language import program as pr
from parity.language.attributes import literal
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
    raises = finding.what == "exception"
    used = sorted({s.op for s in program.statements if isinstance(s, pr.Apply)})
    title = f"{finding.kind}: {finding.says} ({label(engine)})"
    sources = adapter.sources.items()
    limits = as_runner(engine).limits
    isolated_run = ISOLATED_RUN.format(seconds=limits.seconds + _START, megabytes=limits.megabytes)
    return SCRIPT.format(
        title=docstring(title),
        text=docstring(str(program) + side.text),
        file=docstring(one_line(file)),
        table="\n".join(f"    {name!r}: {OPS[name].source}," for name in used),
        engine=_body(EngineLines(program, names, reads=raises), finding),
        read=READ if raises else "",
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
        isolated_run=isolated_run if finding.stopped else "",
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

    #: Text for ``str.format``; ``e`` is the variable of the engine in the script.
    leaf = "{e}.leaf({array}{constant})"
    function = "{e}.ops[{op!r}]"
    backward = "{e}.backward({root}, {gradient}{flags})"
    gradient = "gradient"
    detach = "{e}.detach({value})"
    #: The lines of an event on the leaf ``x``; ``out`` is the name of a result.
    events: Mapping[type[Any], tuple[str, ...]] = {
        pr.TakeGrad: ("{out} = {e}.grad_tensor({x})",),
        pr.Clear: ("{e}.clear_grad({x})",),
        pr.Zero: (
            'held["{x}"] = {e}.grad({x})',
            *("if {e}.grad({x}) is not None:", "    {e}.zero_grad({x})"),
        ),
        pr.ChangeGrad: ("buffer = {e}.grad({x})", "buffer *= 2", "buffer += 1"),
    }

    def __init__(
        self, program: pr.Program, names: list[str], variable: str = "engine", reads: bool = False
    ) -> None:
        self.program = program
        self.names = names
        self.variable = variable
        #: Whether every array is read that ``parity`` reads, since reading it may raise.
        self.reads = reads
        self.defined = program.defined

    def leaves(self) -> list[str]:
        lines = []
        for name, leaf in zip(self.names, self.program.leaves, strict=False):
            constant = "" if leaf.requires_grad else ", False"
            form = {"array": array_literal(leaf), "constant": constant, "leaf": leaf}
            lines.append(f"{name} = {self.leaf.format(e=self.variable, **form)}")
        return lines

    def statement(self, number: int, s: Any) -> list[str]:
        """Return the lines of a statement, and those that read what ``parity`` reads after it."""
        lines = self.call(number, s)
        return [*lines, *self.read_values(self.defined[number])] if self.reads else lines

    def read_values(self, indices: Sequence[int]) -> list[str]:
        return [f"read({self.variable}.value({self.names[i]}))" for i in indices]

    def call(self, number: int, s: Any) -> list[str]:
        names, e = self.names, self.variable
        outputs = ", ".join(names[i] for i in self.defined[number])
        if isinstance(s, pr.Apply):
            arguments = [names[i] for i in s.inputs]
            arguments += [f"{k}={literal(v)}" for k, v in keywords(s.op, s.attrs).items()]
            function = self.function.format(e=e, op=s.op)
            call = f"{outputs} = {function}({', '.join(arguments)})"
            return self.without_graph(call, self.defined[number]) if s.no_grad else [call]
        if isinstance(s, pr.Backward):
            flags = "".join(
                f", {k}=True" for k in ("retain_graph", "create_graph") if getattr(s, k)
            )
            lines = [] if s.gradient is None else [f"gradient = {array_literal(s.gradient)}"]
            gradient = "None" if s.gradient is None else self.gradient
            form = {"root": names[s.value], "gradient": gradient, "flags": flags}
            lines.append(self.backward.format(e=e, **form))
            last = number + 1 == len(self.program.statements)
            return lines if last and not self.reads else [*lines, *self.read_gradients()]
        if isinstance(s, pr.Drop):
            return [f"del {names[s.value]}"]
        if isinstance(s, pr.ChangeGradient):
            return ["gradient *= 2", "gradient += 1"]
        if isinstance(s, pr.Detach):
            return [f"{outputs} = {self.detach.format(e=e, value=names[s.value])}"]
        leaves = [names[i] for i in s.leaf_operands()]
        event = self.events[type(s)]
        return [line.format(e=e, x=leaf, out=outputs) for leaf in leaves for line in event]

    def without_graph(self, call: str, outputs: Sequence[int]) -> list[str]:
        """Return the lines that run a call under ``no_grad``."""
        return [f"with {self.variable}.no_grad():", f"    {call}"]

    def read_gradients(self) -> list[str]:
        """Return the lines that read all gradients, as ``parity`` does after each backward."""
        leaves = ", ".join(self.names[: len(self.program.leaves)])
        if self.reads:
            return [
                f"for leaf in [{leaves}]:",
                f"    read({self.variable}.grad(leaf), optional=True)",
            ]
        return [f"list(map({self.variable}.grad, [{leaves}]))  # some engines compute them here"]


class TorchLines(EngineLines):
    """A program as calls of PyTorch itself."""

    leaf = "torch.tensor({array}, requires_grad={leaf.requires_grad})"
    function = "TORCH[{op!r}]"
    backward = "{root}.backward({gradient}{flags})"
    gradient = "torch.tensor(gradient)"
    detach = "{value}.detach()"
    events: Mapping[type[Any], tuple[str, ...]] = {
        pr.TakeGrad: ("{out} = {x}.grad",),
        pr.Clear: ("{x}.grad = None",),
        pr.Zero: ('held["{x}"] = {x}.grad', "if {x}.grad is not None:", "    {x}.grad.zero_()"),
        pr.ChangeGrad: ("{x}.grad.mul_(2).add_(1)",),
    }

    def leaves(self) -> list[str]:
        # PyTorch may let leaves share the memory of a gradient (docs/semantics.md 3).
        named = zip(self.names, self.program.leaves, strict=False)
        hooks = [f"{name}.register_hook(torch.clone)" for name, leaf in named if leaf.requires_grad]
        return super().leaves() + hooks

    def without_graph(self, call: str, outputs: Sequence[int]) -> list[str]:
        # A view of a leaf still requires a gradient (docs/semantics.md 6.3).
        constants = [f"{self.names[i]} = {self.names[i]}.detach()" for i in outputs]
        return ["with torch.no_grad():", f"    {call}", *constants]

    def read_values(self, indices: Sequence[int]) -> list[str]:
        return []

    def read_gradients(self) -> list[str]:
        return []


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


def _flaky_result(repeats: Repeats) -> str:
    """Return the lines that run the program so often that the difference comes several times."""
    runs = min(_MOST_RUNS, 10 * -(-repeats.runs // repeats.differ))
    return FLAKY_RESULT.format(runs=max(_FEWEST_RUNS, runs))


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
    forms = {"grad": grad, "value": value, "held": 'held["{}"]', "exception": "None"}
    return forms.get(finding.what, "gradient").format(name)


def _body(lines: EngineLines, finding: Finding) -> str:
    """Return the body of a function that runs the program up to the finding."""
    text: list[str] = lines.leaves()
    for number, statement in enumerate(lines.program.statements[: finding.statement + 1]):
        text += lines.statement(number, statement)
    if lines.reads and finding.statement >= len(lines.program.statements):  # as the last of all
        text += lines.read_values(range(len(lines.program.leaves)))
    return "\n".join("    " + line for line in text)


_LAYOUT = str.maketrans("", "", "\n\t\f")


def _quoted(text: str) -> str:
    """Return a string literal, triple-quoted where the text allows it, to be readable."""
    if not text.translate(_LAYOUT).isprintable():
        return ascii(text)
    for quotes in ('"""', "'''"):
        if quotes not in text and not text.endswith(quotes[0]) and "\\" not in text:
            return f"{quotes}\n{text}{quotes}"
    return repr(text)
