"""A script that shows a fault without parity, or the inputs as code."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity._util.escape import docstring
from parity.function.cases import Array
from parity.function.frameworks import Framework, Function

_SCRIPT = '''"""{title}

The script exits with status 1 while that is so, and with 0 once it is mended.
"""

from __future__ import annotations

{imports}

{helpers}

{inputs}
{body}
'''
#: Compares what a variant yields.
_VARIANT = """\
wrong = 0
for says, actual, expected in {name}(f, xs, vs):
    if isinstance(actual, str):
        differ = actual != expected
    else:
        bound = 1e-3 * float(expected.abs().max()) if expected.numel() else 0.0
        differ = actual.shape != expected.shape or not torch.allclose(
            actual, expected, rtol={rtol}, atol={rtol} * bound, equal_nan=True
        )
    if differ:
        wrong = 1
        print(says, "\\n  expected:", expected, "\\n  actual:", actual)
sys.exit(wrong)"""
#: Compares one derivative with numbers.
_NUMBERS = """\
{weights}actual = {call}[{index}]
expected = {expected}
print("expected:", expected, "\\nactual:", actual)
sys.exit(not torch.allclose(actual, expected, rtol=0.0, atol={allowed!r}))"""


@dataclass(frozen=True)
class Shows:
    """What a script runs: here forward and backward alone."""

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions of ``parity.function.variants`` that are called."""
        return ("gradients",)

    def body(self, framework: Framework) -> str:
        return "print(outputs_of(f, xs))\nprint(gradients(f, xs, vs))"


@dataclass(frozen=True)
class Variant(Shows):
    """A variant, by its name."""

    name: str = ""
    #: The relative difference that is no fault.
    rtol: float = 1e-8

    @property
    def functions(self) -> tuple[str, ...]:
        return (self.name,)

    def body(self, framework: Framework) -> str:
        return _VARIANT.format(name=self.name, rtol=self.rtol)


@dataclass(frozen=True)
class Difference(Shows):
    """A derivative that is compared with numbers: the second one where there are weights."""

    index: int
    expected: Any
    actual: Any
    weights: tuple[Array | None, ...] = ()

    @property
    def functions(self) -> tuple[str, ...]:
        return ("second_derivatives",) if self.weights else ("gradients",)

    def body(self, framework: Framework) -> str:
        if self.expected is None:  # only a range is known
            same = f"torch.allclose(actual, {literal(self.actual, framework)})"
            return (
                f"actual = gradients(f, xs, vs)[{self.index}]\n"
                f'print("actual:", actual)\nsys.exit({same})'
            )
        shown = self.actual if isinstance(self.actual, np.ndarray) else np.zeros(())
        with np.errstate(all="ignore"):
            distance = np.nan_to_num(np.abs(shown - self.expected), posinf=1.0)
        weights = [w for w in self.weights if w is not None]
        call = "second_derivatives(f, xs, vs, ws)" if weights else "gradients(f, xs, vs)"
        return _NUMBERS.format(
            weights=f"ws = {_list(weights, framework)}\n" if weights else "",
            call=call,
            index=self.index,
            expected=literal(self.expected, framework),
            allowed=float(distance.max(initial=0.0)) / 10,
        )


def script(
    f: Function,
    framework: Framework,
    says: str,
    inputs: Sequence[Array],
    seeds: Sequence[Array],
    shows: Shows,
) -> str:
    """Return the text of a script, or the inputs as code if it cannot import the function."""
    inputs_text = f"xs = {_list(inputs, framework)}\nvs = {_list(seeds, framework)}"
    imported = import_of(f)
    if imported is None or framework.name != "torch":
        return f"import {framework.name}\n\n{inputs_text}\n"
    module, name = imported
    root, dot, rest = name.partition(".")
    lines = [*sources(shows.functions)]
    body = shows.body(framework)
    used = set(re.findall(r"\w+", "\n".join([*lines, body])))
    standard = [f"import {each}" for each in ("copy", "gc", "sys", "weakref") if each in used]
    own = ["import torch", *(["import torch.utils.checkpoint"] if "checkpoint" in used else [])]
    imports = (
        [*standard, "from collections.abc import Iterator"] if "Iterator" in used else standard
    )
    imports += ["from typing import Any", "", *own, "", f"from {module} import {root}", ""]
    return _SCRIPT.format(
        title=docstring(says),
        imports="\n".join([*imports, f"f = {root}{dot}{rest}"]),
        helpers="\n".join(lines),
        inputs=inputs_text,
        body=body,
    )


def import_of(f: Function) -> tuple[str, str] | None:
    """Return the module and the name of a function, if it can be imported by them.

    Examples
    --------
    >>> from parity.function.cases import shape_of
    >>> import_of(shape_of), import_of(lambda x: x)
    (('parity.function.cases', 'shape_of'), None)
    """
    owner = getattr(f, "__self__", f)
    bound = f".{getattr(f, '__name__', '')}" if owner is not f else ""
    module, name = getattr(owner, "__module__", None), getattr(owner, "__qualname__", None)
    if not module or not name or module == "__main__" or "<" in name:
        return None
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return (module, name + bound) if found is owner else None


def sources(names: Sequence[str]) -> list[str]:
    """Return the text of functions of ``parity.function.variants``, and of those they call."""
    variants = importlib.import_module("parity.function.variants")
    own = dict(inspect.getmembers(variants, inspect.isfunction))
    needed, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += set(re.findall(r"\w+", inspect.getsource(own[name]))) & own.keys()
    ordered = sorted(needed | {"outputs_of"}, key=lambda n: own[n].__code__.co_firstlineno)
    return [f"\n{inspect.getsource(own[name])}" for name in ordered]


def literal(array: Array, framework: Framework) -> str:
    """Return an array as an expression that makes a tensor."""
    return _LITERALS[framework.name].format(values=repr(array.tolist()), **_form(array, framework))


def _list(arrays: Sequence[Array], framework: Framework) -> str:
    return "[" + ", ".join(literal(a, framework) for a in arrays) + "]"


def _form(array: Array, framework: Framework) -> dict[str, Any]:
    wide = array.dtype.kind == "f"
    dtype = str(getattr(framework, "dtype", "float64")).rpartition(".")[2]
    values = array.astype(np.float64) if wide else array
    device = getattr(framework, "device", "cpu")
    return {
        "dtype": dtype if wide else str(array.dtype),
        "shape": "" if values.size else f".reshape({values.shape})",
        "device": "" if device == "cpu" else f", device={device!r}",
    }


_LITERALS = {
    "torch": "torch.tensor({values}, dtype=torch.{dtype}{device}){shape}",
    "jax": "jax.numpy.array({values}, dtype={dtype!r}){shape}",
    "paddle": "paddle.to_tensor({values}, dtype={dtype!r}){shape}",
}
