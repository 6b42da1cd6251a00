"""Programs that show how a tape works: small ones by hand, then generated ones, cheapest first.

Those by hand are written with ``add``, ``mul``, ``neg`` and ``square``; an engine that lacks one
gets another operation with as many operands. All are exact, so that differences are faults.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import replace

from parity.diagnose.defects.parameters import PARAMETERS
from parity.diagnose.shared_programs import SharedPrograms
from parity.engines.runner import Runner
from parity.generate.builder import GRADIENTS
from parity.language import program as pr
from parity.language.json_format import dumps
from parity.language.shapes import Attrs
from parity.language.text_format import program_from_text
from parity.oracle.exactness import is_exact

#: Generated programs, and of how many the exact ones are taken.
_GENERATED, _ATTEMPTS = 120, 500
#: Leaves of the programs by hand.
_LEAVES = {"x": "x = leaf(3.0)", "y": "y = leaf(2.0)", "c": "c = leaf(2.0, requires_grad=False)"}
#: Ways to a root, by how the operands are used.
_GRAPHS: tuple[str, ...] = (
    "x; r = neg(x)",
    "x; r = square(x)",
    "x, y; r = add(x, y)",
    "x, y; r = mul(x, y)",
    "x; r = add(x, x)",
    "x; r = mul(x, x)",
    "x; a = neg(x); r = neg(a)",
    "x; a = square(x); r = neg(a)",
    "x; a = neg(x); r = add(x, a)",
    "x; a = neg(x); r = add(a, x)",
    "x; a = add(x, x); r = add(x, a)",
    "x; a = add(x, x); r = add(a, x)",
    "x; a = add(x, x); r = add(a, a)",
    "x; a = mul(x, x); b = add(x, a); r = mul(a, b)",
    "x; a = mul(x, x); b = add(a, x); r = mul(a, b)",
    "x; a = mul(x, x); b = add(a, x); r = mul(b, a)",
    "x; a = mul(x, x); r = mul(a, x)",
    "x, y; a = add(x, y); r = add(a, x)",
    "x, y; a = add(x, y); r = mul(a, y)",
    "x, y; a = add(x, y); r = mul(x, a)",
    "x, y; a = add(x, y); b = neg(a); r = add(b, x)",
    "x; a = square(x); b = square(a); c = square(a); r = add(b, c)",
    "x; a = square(x); b = neg(a); r = add(a, b)",
    "x; a = square(x); b = neg(a); r = add(b, a)",
    "x; a = square(x); b = square(a); r = mul(b, a)",
    "x, y; a = mul(x, y); b = add(a, a); r = add(b, x)",
    "x, y; a = add(x, y); b = neg(a); c = square(a); r = add(b, c)",
    "x, y; a = add(x, y); b = neg(a); c = square(a); r = mul(c, b)",
    "x; a = neg(x); b = add(a, x); c = add(b, a); r = add(c, x)",
    "x; a = add(x, x); b = add(a, x); c = add(a, b); r = add(c, b)",
    "x, y; a = square(x); b = square(y); c = add(a, b); d = add(c, a); r = add(d, b)",
    "x; a = neg(x); b = neg(a); c = add(x, a); r = add(b, c)",
)
#: What happens with the root; the last leaf is ``l``.
_EVENTS: tuple[str, ...] = (
    "backward(r)",
    "backward(r, gradient=2.0)",
    "backward(r, retain_graph=True); backward(r)",
    "backward(r, retain_graph=True); backward(r, gradient=2.0)",
    "backward(r, gradient=2.0, retain_graph=True); backward(r)",
    "backward(r); change_grad(x)",
    "backward(r, gradient=2.0); change_gradient()",
    "backward(r, retain_graph=True); cleargrad(x); backward(r)",
    "backward(r, retain_graph=True); cleargrad(x, l); backward(r)",
    "backward(r, retain_graph=True); zero_grad(x); backward(r)",
    "backward(r, retain_graph=True); zero_grad(l); backward(r, retain_graph=True); backward(r)",
    "backward(r, retain_graph=True); change_grad(x); backward(r)",
)
#: The graphs to which all events happen, by number; the others get the first two.
_FULL = (0, 2, 4, 8, 17, 21)
#: Programs with more than one root, or without an operation.
_OTHERS: tuple[str, ...] = (
    "x; backward(x)",
    "x; backward(x, gradient=2.0)",
    "x; backward(x); backward(x)",
    "x; backward(x); backward(x, gradient=2.0)",
    "x; backward(x); cleargrad(x); backward(x)",
    "x; backward(x); zero_grad(x); backward(x); backward(x)",
    "x; r = neg(x); backward(x); backward(r)",
    "x; r = neg(x); backward(r); backward(x)",
    "x; cleargrad(x); r = square(x); backward(r)",
    "x; r = square(x); backward(r); backward(r)",
    "x, y; r = mul(x, y); backward(r); backward(r)",
    "x; a = square(x); r = add(a, x); backward(r); backward(a)",
    "x; r = square(x); s = square(x); backward(r); backward(s)",
    "x; a = square(x); r = neg(a); s = square(a); backward(r, retain_graph=True); backward(s)",
    "x; a = square(x); r = neg(a); backward(a, retain_graph=True); backward(r)",
    "x; a = square(x); r = neg(a); backward(r, retain_graph=True); backward(a)",
    "x; r = square(x); backward(r); s = square(x); cleargrad(x); backward(s)",
    "x, y; backward(y); cleargrad(x, y)",
    "x, y; r = add(x, y); backward(r); zero_grad(x); change_grad(y)",
    "x, y; r = add(x, y); s = mul(x, y); backward(r); backward(s); change_grad(x)",
    "x, y; r = mul(x, y); backward(r); backward(x); backward(y, gradient=2.0)",
    "x, c; r = add(x, c); backward(r)",
    "x, c; r = mul(x, c); backward(r); zero_grad(x)",
    "x, c; a = neg(c); r = mul(a, x); backward(r)",
    "x, c; a = neg(c); backward(a)",
    "x; a = detach(x); r = add(x, a); backward(r)",
    "x; b = square(x); a = detach(b); r = mul(b, a); backward(r)",
    "x; a = detach(x); r = neg(a); backward(r)",
    "x; a = neg(x)  # under no_grad; r = add(x, a); backward(r)",
    "x; a = neg(x)  # under no_grad; r = square(a); backward(r)",
    "x; a = square(x)  # under no_grad; r = mul(x, a); backward(r); backward(a)",
    "x; r = square(x); backward(r); a = grad_of(x); s = mul(a, x); cleargrad(x); backward(s)",
    "x; r = mul(x, x); backward(r, create_graph=True); a = grad_of(x); backward(a)",
    "x; r = square(x); backward(r, create_graph=True); a = grad_of(x); cleargrad(x); backward(a)",
    "x; a = square(x); r = mul(a, x); backward(r, create_graph=True); b = grad_of(x); "
    "cleargrad(x); backward(b)",
    "x, y; r = mul(x, y); backward(r, create_graph=True); a = grad_of(x); s = mul(a, x); "
    "backward(s)",
)
#: Operations that stand for others, with their attributes.
_BINARY: tuple[tuple[str, Attrs], ...] = (
    *(("add", ()), ("mul", ()), ("sub", ()), ("maximum", ()), ("minimum", ()), ("div", ())),
)
_UNARY: tuple[tuple[str, Attrs], ...] = (
    *(("neg", ()), ("square", ()), ("mul_scalar", (("c", 2.0),)), ("add_scalar", (("c", 2.0),))),
    *(("relu", ()), ("absolute", ()), ("sum", (("axis", None), ("keepdims", False)))),
)


@functools.cache
def _by_hand() -> tuple[pr.Program, ...]:
    texts = [
        f"{graph}; {events}"
        for number, graph in enumerate(_GRAPHS)
        for events in (_EVENTS if number in _FULL else _EVENTS[:2])
    ]
    return tuple(_program(text) for text in (*texts, *_OTHERS))


def _program(text: str) -> pr.Program:
    """Read "leaves; statement; statement" with names of letters."""
    leaves, *statements = text.split("; ")
    names = leaves.split(", ")
    for name in (s.partition(" = ")[0] for s in statements if " = " in s):
        names.append(name)
    lines = [*(_LEAVES[name] for name in leaves.split(", ")), *statements]
    return program_from_text("\n".join(_numbered(line, names, leaves[-1]) for line in lines))


def _numbered(line: str, names: Sequence[str], last: str) -> str:
    numbers = {name: f"x{i}" for i, name in enumerate(names)} | {"l": f"x{names.index(last)}"}
    code, note, rest = line.partition("  #")
    parts = itertools.groupby(code, lambda ch: ch.isalnum() or ch == "_")
    words = ("".join(characters) for _, characters in parts)
    return "".join(numbers.get(word, word) for word in words) + note + rest


def tape_programs(engine: Runner) -> list[pr.Program]:
    """Return the programs that an engine supports, each once, smaller ones first."""
    shared = SharedPrograms(engine)
    if not shared.ops or not shared.dtypes:
        return []
    smallest = (cls.smallest for p in PARAMETERS for cls in p.values if cls.smallest is not None)
    by_hand = [_adapted(p, engine) for p in (*smallest, *_by_hand())]
    small = [*by_hand, *filter(None, map(_widened, by_hand[::3]))]
    supported = [p for p in dict.fromkeys(small) if shared.supports(p) and is_exact(p)]
    generated = itertools.islice(shared.generated("tape"), _ATTEMPTS)
    exact = itertools.islice(filter(is_exact, generated), _GENERATED)
    return list(dict.fromkeys((*sorted(supported, key=_size), *sorted(exact, key=_size))))


def _size(program: pr.Program) -> tuple[int, int, int]:
    elements = sum(len(leaf.values) for leaf in program.leaves)
    return len(program.statements), elements, len(dumps(program))


def _adapted(program: pr.Program, engine: Runner) -> pr.Program:
    """Return the program with operations that the engine has, where it lacks those used."""
    statements = []
    for s in program.statements:
        if isinstance(s, pr.Apply) and s.op not in engine.ops and not s.attrs:
            pool = _BINARY if len(s.inputs) == 2 else _UNARY
            op, attrs = next((each for each in pool if each[0] in engine.ops), (s.op, s.attrs))
            s = replace(s, op=op, attrs=attrs)
        statements.append(s)
    return replace(program, statements=tuple(statements))


def _widened(program: pr.Program) -> pr.Program | None:
    """Return the program with vectors in place of numbers; None if it has other shapes."""
    if any(leaf.shape for leaf in program.leaves):
        return None
    if any(isinstance(s, pr.Apply) and s.attrs for s in program.statements):
        return None
    leaves = [replace(x, shape=(2,), values=(x.values[0], 5.0)) for x in program.leaves]
    statements = [
        replace(s, gradient=_vector(s, program)) if isinstance(s, pr.Backward) else s
        for s in program.statements
    ]
    return pr.Program(tuple(leaves), tuple(statements))


def _vector(s: pr.Backward, program: pr.Program) -> pr.Constant:
    first = s.gradient.values[0] if s.gradient is not None else 1.0
    return pr.Constant((2,), (first, GRADIENTS[3]), program.infos[s.value].dtype)
