"""Write a finding as a Python script that runs with the engine and PyTorch, without parity.

The script contains the program as calls of the engine and as calls of PyTorch, and the source
code of the adapter with every module of parity that it imports.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from parity.diagnose.reproducer_lines import EngineLines, TorchLines
from parity.diagnose.reproducer_template import ISOLATED_RUN, LOAD_REFERENCE, SCRIPT
from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.sources import adapter_of
from parity.language import program as pr
from parity.language.table import OPS
from parity.oracle.finding import Finding

#: Seconds that a script may take to start, in addition to the time limit of a program.
_START = 20


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
    title = f"{finding.kind}: {finding.kind.description} ({version})"
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
    )


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
