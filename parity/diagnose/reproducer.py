"""A finding as a script that anyone can run, with the engine and PyTorch alone.

The script contains the program twice, as calls of the engine and of PyTorch, and
the source of the adapter with every module of this package that it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.sources import adapter_of
from parity.language import program as pr
from parity.language.table import OPS, keywords
from parity.oracle.finding import Finding

_HEAD = '''\
"""{title}

{text}

Run: python {file} (needs numpy, torch and the engine; not parity). It ends with
status 1 while the two differ, and with 0 once they agree.
"""

import importlib
import sys
import types

import numpy as np
import torch

nan, inf = float("nan"), float("inf")

# What PyTorch does for each operation.
TORCH = {{
{table}
}}


def on_engine(engine):
    held = {{}}
{engine}
    return {engine_result}


def on_torch({parameter}):
    held = {{}}
{torch}
    return {torch_result}


# The adapter of the engine and what it needs, as source text by module.
SOURCES = {{
{sources}
}}
PACKAGES = {packages!r}
FOLDERS = {folders!r}  # where the engine may lie


def load_engine():
    installed = [i for i, place in enumerate(sys.path) if place.endswith("-packages")]
    at = min(installed, default=len(sys.path))
    sys.path[at:at] = FOLDERS  # what lies there is meant, not what is installed
    for name in sorted(SOURCES):  # packages before what is in them
        module = sys.modules[name] = types.ModuleType(name)
        if name in PACKAGES:
            module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
    for name, source in SOURCES.items():
        exec(compile(source, name, "exec"), vars(sys.modules[name]))
    return getattr(importlib.import_module({module!r}), {cls!r})()
{load_reference}

def run(function, *arguments):
    try:
        with np.errstate(all="ignore"):
            result = function(*arguments)
        if isinstance(result, torch.Tensor):
            result = result.detach().numpy()
        return None if result is None else np.array(result)
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"


# The largest differences that rounding explains, by element.
ALLOWED = np.array({allowed!r})


def small(a):
    return a is None or bool(np.all(np.abs(a) <= ALLOWED))


def agree(a, b):
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return {agree}
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    with np.errstate(invalid="ignore"):
        return bool(np.all((a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= ALLOWED)))


{apart}torch.set_num_threads(1)
engine = load_engine()
here, there = {here}, run(on_torch{argument})
print({observed!r})
print(f"{{engine.name}}: {{here}}")
print(f"{theirs}: {{there}}")
same = agree(here, there)
print("they agree" if same else "they differ")
sys.exit(0 if same else 1)
'''

#: For an engine that may not come back: its side in a process of its own.
_APART = """\
# The engine runs in a process of its own, which may not come back.
SECONDS, MEGABYTES = {seconds!r}, {megabytes!r}


def run_apart():
    import subprocess

    command = [sys.executable, __file__, "engine"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"no end after {{SECONDS}} s"
    finished = done.stdout.endswith("finished\\n")
    return None if finished else f"the process ended with status {{done.returncode}}"


def run_alone(engine):
    try:
        import resource

        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (size + MEGABYTES * 2**20, most))
    except (ImportError, OSError):
        print("memory is not limited here")
    try:
        on_engine(engine)
    except MemoryError:
        raise
    except Exception as error:
        print(error)
    print("finished")


if sys.argv[1:] == ["engine"]:
    run_alone(load_engine())
    sys.exit(0)

"""
#: Seconds that a script takes to start.
_START = 20


def script(program: pr.Program, finding: Finding, engine: AnyEngine, file: str) -> str:
    """The text of the script; ``file`` is the name it will have."""
    names = program.value_names
    dialect = _Dialect(engine.quirks)
    adapter = adapter_of(engine, dialect.modules)
    used = sorted({s.op for s in program.statements if isinstance(s, pr.Apply)})
    title = (
        f"{finding.kind}: {finding.kind.description} ({engine.name} {engine.version}".rstrip() + ")"
    )
    return _HEAD.format(
        title=_documented(title),
        text=_documented(str(program) + dialect.text),
        file=file,
        table="\n".join(f"    {name!r}: {OPS[name].source}," for name in used),
        engine=_body(_EngineLines(program, names), finding),
        engine_result=_result(finding, names, "engine.grad({})", "engine.value({})"),
        torch=_body(dialect.lines(program, names), finding),
        torch_result=_result(finding, names, *dialect.forms),
        parameter=dialect.parameter,
        argument=dialect.argument,
        load_reference=dialect.load,
        theirs=dialect.theirs,
        sources="\n".join(
            f"    {name!r}: {_quoted(text)}," for name, text in adapter.sources.items()
        ),
        packages=adapter.packages,
        folders=adapter.folders,
        module=adapter.module,
        cls=adapter.cls,
        apart=_apart(engine) if finding.stopped else "",
        here="run_apart()" if finding.stopped else "run(on_engine, engine)",
        allowed=_allowed(finding),
        agree=_agreement(program, finding),
        observed=_observed(program, finding, names),
    )


class _Dialect:
    """PyTorch's side of a script: as it is, or in the dialect of the engine."""

    modules: tuple[str, ...] = ()
    text = parameter = argument = load = ""
    theirs = "torch"
    forms = ("{}.grad", "{}.detach()")

    def __init__(self, quirks: frozenset[str]) -> None:
        self.lines: type[_Lines] = _TorchLines
        if not quirks:
            return
        self.lines = _ReferenceLines
        self.modules = ("parity.engines.quirks.table", "parity.engines.adapters.torch")
        listed = "".join(f"\n    {name}: {words}" for name, words in descriptions(quirks).items())
        self.text = f"\n\nPyTorch is run in the dialect of the engine, with its quirks\n{listed}"
        self.parameter, self.argument = "reference", ", load_reference()"
        self.load = _LOAD_REFERENCE.format(quirks=sorted(quirks))
        self.theirs = "torch, in the dialect of the engine"
        self.forms = ("reference.grad({})", "reference.value({})")


_LOAD_REFERENCE = """

def load_reference():
    dialects = importlib.import_module("parity.engines.quirks.table")
    plain = importlib.import_module("parity.engines.adapters.torch").Torch()
    return dialects.with_quirks(plain, frozenset({quirks}))
"""


def _apart(engine: AnyEngine) -> str:
    limits = as_runner(engine).limits
    return _APART.format(seconds=limits.seconds + _START, megabytes=limits.megabytes)


def _documented(text: str) -> str:
    """Text inside a docstring."""
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _allowed(finding: Finding) -> Any:
    """The largest differences that rounding explains, by element."""
    if finding.allowed is None:
        return 0.0
    return np.asarray(finding.allowed).tolist()


def _agreement(program: pr.Program, finding: Finding) -> str:
    """When two results that are not both arrays are the same."""
    if finding.stopped:
        return "a is None"
    if finding.what == "exception":
        return "isinstance(a, str) == isinstance(b, str)"
    statement = (*program.statements, None)[finding.statement]
    if isinstance(statement, (pr.Clear, pr.Zero)):
        return "a is None and b is None"
    # After a backward None and zeros are the same gradient.
    return "not isinstance(a, str) and not isinstance(b, str) and small(a) and small(b)"


def _observed(program: pr.Program, finding: Finding, names: list[str]) -> str:
    what = {
        "value": "the value of {}",
        "grad": "the gradient of {}",
        "held": "the gradient of {} that was taken before it was zeroed",
    }
    if finding.what in what:
        return what[finding.what].format(names[finding.which]) + ":"
    if finding.stopped:
        return "what ends it:"
    return "what is raised:" if finding.what == "exception" else "the array passed to backward:"


def _result(finding: Finding, names: list[str], grad: str, value: str) -> str:
    forms = {
        "grad": grad,
        "value": value,
        "held": 'held["{}"]',
        "gradient": "gradient",
        "exception": "None",
    }
    name = "" if finding.what in ("gradient", "exception") else names[finding.which]
    return forms[finding.what].format(name)


def _body(lines: Any, finding: Finding) -> str:
    text: list[str] = lines.leaves()
    for number, statement in enumerate(lines.program.statements[: finding.statement + 1]):
        text += lines.statement(number, statement)
    return "\n".join("    " + line for line in text)


class _Lines:
    """A program as lines of Python."""

    def __init__(self, program: pr.Program, names: list[str]) -> None:
        self.program = program
        self.names = names
        self.defined = program.defined

    def leaves(self) -> list[str]:
        return [
            f"{self.names[i]} = {self.leaf(leaf, _array(leaf))}"
            for i, leaf in enumerate(self.program.leaves)
        ]

    def statement(self, number: int, s: Any) -> list[str]:
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
            lines = [] if s.gradient is None else [f"gradient = {_array(s.gradient)}"]
            lines.append(self.backward(self.names[s.value], s.gradient is not None, flags))
            return lines if number + 1 == len(self.program.statements) else [*lines, *self.look()]
        if isinstance(s, pr.Drop):
            return [f"del {self.names[s.value]}"]
        if isinstance(s, pr.ChangeGradient):
            return ["gradient *= 2", "gradient += 1"]
        if isinstance(s, pr.Detach):
            return [f"{outputs} = {self.detach(self.names[s.value])}"]
        leaves = [self.names[i] for i in pr.leaf_operands(s)]
        return [line for leaf in leaves for line in self.event(s, leaf, outputs)]

    def under_no_grad(self, call: str, outputs: Sequence[int]) -> list[str]:
        raise NotImplementedError

    def leaf(self, leaf: pr.Leaf, array: str) -> str:
        raise NotImplementedError

    def function(self, op: str) -> str:
        raise NotImplementedError

    def backward(self, root: str, gradient: bool, flags: str) -> str:
        raise NotImplementedError

    def detach(self, value: str) -> str:
        raise NotImplementedError

    def look(self) -> list[str]:
        """Lines that read all gradients, as the harness does after each backward."""
        return []

    def event(self, s: Any, leaf: str, outputs: str) -> list[str]:
        raise NotImplementedError


class _EngineLines(_Lines):
    who = "engine"

    def under_no_grad(self, call: str, outputs: Sequence[int]) -> list[str]:
        return [f"with {self.who}.no_grad():", f"    {call}"]

    def leaf(self, leaf: pr.Leaf, array: str) -> str:
        return f"{self.who}.leaf({array}{'' if leaf.requires_grad else ', False'})"

    def function(self, op: str) -> str:
        return f"{self.who}.ops[{op!r}]"

    def backward(self, root: str, gradient: bool, flags: str) -> str:
        return f"{self.who}.backward({root}, {'gradient' if gradient else 'None'}{flags})"

    def detach(self, value: str) -> str:
        return f"{self.who}.detach({value})"

    def look(self) -> list[str]:
        leaves = ", ".join(self.names[: len(self.program.leaves)])
        return [f"list(map({self.who}.grad, [{leaves}]))  # an engine may compute them only now"]

    def event(self, s: Any, leaf: str, outputs: str) -> list[str]:
        return {
            pr.TakeGrad: [f"{outputs} = {self.who}.grad_tensor({leaf})"],
            pr.Clear: [f"{self.who}.clear_grad({leaf})"],
            pr.Zero: [
                f'held["{leaf}"] = {self.who}.grad({leaf})',
                f"if {self.who}.grad({leaf}) is not None:",
                f"    {self.who}.zero_grad({leaf})",
            ],
            pr.ChangeGrad: [f"buffer = {self.who}.grad({leaf})", "buffer *= 2", "buffer += 1"],
        }[type(s)]


class _ReferenceLines(_EngineLines):
    """The same calls, of the reference in the dialect of the engine."""

    who = "reference"


class _TorchLines(_Lines):
    def under_no_grad(self, call: str, outputs: Sequence[int]) -> list[str]:
        # A view of a leaf would still require a gradient.
        constants = [f"{self.names[i]} = {self.names[i]}.detach()" for i in outputs]
        return ["with torch.no_grad():", f"    {call}", *constants]

    def leaf(self, leaf: pr.Leaf, array: str) -> str:
        return f"torch.tensor({array}, requires_grad={leaf.requires_grad})"

    def leaves(self) -> list[str]:
        # PyTorch may let leaves share a gradient; a copy of each keeps it right.
        hooks = [
            f"{self.names[i]}.register_hook(torch.clone)"
            for i, leaf in enumerate(self.program.leaves)
            if leaf.requires_grad
        ]
        return super().leaves() + hooks

    def function(self, op: str) -> str:
        return f"TORCH[{op!r}]"

    def backward(self, root: str, gradient: bool, flags: str) -> str:
        return f"{root}.backward({'torch.tensor(gradient)' if gradient else 'None'}{flags})"

    def detach(self, value: str) -> str:
        return f"{value}.detach()"

    def event(self, s: Any, leaf: str, outputs: str) -> list[str]:
        return {
            pr.TakeGrad: [f"{outputs} = {leaf}.grad"],
            pr.Clear: [f"{leaf}.grad = None"],
            pr.Zero: [
                f'held["{leaf}"] = {leaf}.grad',
                f"if {leaf}.grad is not None:",
                f"    {leaf}.grad.zero_()",
            ],
            pr.ChangeGrad: [f"{leaf}.grad.mul_(2).add_(1)"],
        }[type(s)]


def _array(constant: pr.Constant) -> str:
    dtype = "" if constant.dtype == "float64" else f", np.{constant.dtype}"
    if not constant.values:
        return f"np.zeros({constant.shape}{dtype})"
    return f"np.array({constant.array().tolist()!r}{dtype})"


def _quoted(text: str) -> str:
    """A raw string literal where the text allows it, so that it stays readable."""
    if '"""' not in text and not text.endswith('"') and "\\" not in text:
        return f'"""\n{text}"""'
    if "'''" not in text and not text.endswith("'") and "\\" not in text:
        return f"'''\n{text}'''"
    return repr(text)
