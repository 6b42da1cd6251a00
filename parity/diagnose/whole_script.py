"""Scripts of findings of compilers: the function, compiled and as it is, without parity."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from parity._util.escape import docstring, one_line
from parity.engines.base import label
from parity.engines.load import EngineError
from parity.engines.runner import Runner
from parity.engines.whole.source import FORM, FunctionSource, batch_source, only
from parity.language import program as pr
from parity.language.table import OPS
from parity.oracle.finding import Finding

_SCRIPT = '''\
"""{title}

{text}

Run it with: python {file}
It needs torch and numpy. The exit status is 1 if the compiled function differs from the same
function without forms in eager mode, and 0 if they agree.
"""

{forms}
import sys

import numpy as np
import torch

nan, inf = float("nan"), float("inf")
no_grad, detach = torch.no_grad, torch.Tensor.detach
{only}

{operations}


{program}

{plain}

# The leaves of each call, the last of which is compared: numbers, dtype, whether they require a
# gradient, and how they lie in memory. An argument that is passed once more is the same object in
# the last call, and another one before.
CALLS = {calls}
AGAIN = {again}
# Backwards: program output and gradient.
SEEDS = {seeds}
BOUND = {bound!r}  # relative to the largest number; rounding explains this much


def strided(t):
    if t.ndim == 0:
        return t
    wide = torch.zeros(*t.shape[:-1], 2 * t.shape[-1], dtype=t.dtype)
    wide[..., ::2] = t
    return wide[..., ::2]


def transposed(t):
    return t.transpose(0, -1).contiguous().transpose(0, -1) if t.ndim > 1 else t


LAYOUTS = [lambda t: t, strided, transposed]


def call(function, number, again):
    layout = LAYOUTS[(len(CALLS) - 1 - number) % 3]
    leaves = [
        layout(torch.tensor(values, dtype=dtype).reshape(shape)).requires_grad_(wanted)
        for values, shape, dtype, wanted in CALLS[number]
    ]
    last = number == len(CALLS) - 1
    others = [
        leaves[i] if last else leaves[i].detach().clone().requires_grad_(leaves[i].requires_grad)
        for i in again
    ]
    (values,) = function(*leaves, *others)
    roots = [(values[k], g) for k, g in SEEDS if values[k].requires_grad]
    wanted = [x for x in leaves if x.requires_grad]
    gradients = ()
    if roots and wanted:
        given = [
            torch.ones_like(t) if g is None else torch.tensor(g, dtype=t.dtype).reshape(t.shape)
            for t, g in roots
        ]
        gradients = torch.autograd.grad([t for t, _ in roots], wanted, given, allow_unused=True)
    zeros = (torch.zeros_like(x) if g is None else g for x, g in zip(wanted, gradients))
    return [t.detach() for t in (*values, *zeros)]


def run(function, again):
    try:
        for number in range(len(CALLS)):
            results = call(function, number, again)
        return results
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"


def agree(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) == isinstance(b, str)
    return all(
        x.shape == y.shape and x.dtype == y.dtype
        and torch.allclose(x, y, BOUND, BOUND * float(y.abs().max() if y.numel() else 0.0), True)
        for x, y in zip(a, b, strict=True)
    )


torch.set_num_threads(1)
compiled = run({compile}, AGAIN)
eager = run(plain, [])
print("torch", torch.__version__, "values, then gradients:")
print("compiled:", compiled)
print("eager:   ", eager)
same = agree(compiled, eager)
print("they agree" if same else "they differ")
sys.exit(0 if same else 1)
'''


def whole_script(program: pr.Program, finding: Finding, engine: Runner, file: str) -> str:
    """Return the text of a script for an engine that takes whole programs.

    EngineError says that the engine does not say how a script compiles a function.
    """
    compiling = engine.compiling
    if not compiling:
        raise EngineError(f"engine {engine.name!r} does not say how it compiles")
    own = FunctionSource(program)
    plain = FunctionSource(without_forms(program))
    used = sorted({s.op for s in program.statements if isinstance(s, pr.Apply)})
    exact = finding.allowed is None or not any(map(float, _flat(finding.allowed)))
    return _SCRIPT.format(
        title=docstring(f"{finding.kind}: {finding.says} ({label(engine)})"),
        text=docstring(str(program)),
        file=docstring(one_line(file)),
        forms=_forms_of(program),
        only=inspect.getsource(only).replace("result: Any) -> Any", "result)"),
        operations="\n".join(f"{name} = {OPS[name].source}" for name in used),
        program=batch_source([own], "program"),
        plain=batch_source([plain], "plain"),
        calls=_calls(program),
        again=own.again,
        seeds=_seeds(program, own),
        bound=0.0 if exact else 1e-4 if _narrow(program) else 1e-9,
        compile=compiling,
    )


def without_forms(program: pr.Program) -> pr.Program:
    """Return the program with each operation as it is, as the reference runs it."""
    statements = (replace(s, form="") if isinstance(s, pr.Apply) else s for s in program.statements)
    return replace(program, statements=tuple(statements))


def _flat(array: Any) -> list[Any]:
    return list(array.ravel()) if hasattr(array, "ravel") else [array]


def _narrow(program: pr.Program) -> bool:
    return any(leaf.dtype == "float32" for leaf in program.leaves)


def _forms_of(program: pr.Program) -> str:
    """Return the source of the module of forms with the names that the function has for them."""
    names = sorted({s.form for s in program.statements if isinstance(s, pr.Apply) and s.form})
    if not names:
        return ""
    from parity.engines.whole import torch_forms

    source = inspect.getsource(torch_forms).partition("from __future__ import annotations\n")[2]
    known = [name for name in names if name in torch_forms.FORMS]
    return source + "".join(
        f'\n\n{FORM}{name.replace("-", "_")} = FORMS["{name}"]' for name in known
    )


def _calls(program: pr.Program) -> str:
    rows = [
        "    ["
        + ", ".join(
            f"({list(x.values)!r}, {x.shape!r}, torch.{x.dtype}, {x.requires_grad})" for x in call
        )
        + "],"
        for call in (*program.calls, program.leaves)
    ]
    return "\n".join(["[", *rows, "]"])


def _seeds(program: pr.Program, source: FunctionSource) -> str:
    found = [
        (source.outputs.index(s.value), None if s.gradient is None else list(s.gradient.values))
        for s in program.statements
        if isinstance(s, pr.Backward)
    ]
    return repr(found)
