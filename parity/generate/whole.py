"""Programs for engines that take them whole: other forms of operations, and earlier calls.

Both mean nothing to the reference. A form is one of ``parity.language.forms``. An earlier call has
other leaves: other numbers, and ``requires_grad`` on some only. So a compiler meets a function
again that it has compiled for other arguments.
"""

from __future__ import annotations

import random
from dataclasses import replace

from parity.language import program as pr
from parity.language.forms import FORMS
from parity.language.table import OPS

#: The share of operations with a form, and how often programs have so many earlier calls.
_FORMED, _CALLS = 0.6, (0, 0, 0, 0, 0, 0, 1, 1, 1, 2)
#: The share of leaves of an earlier call that have the other ``requires_grad``.
_OTHER = 0.2


def rewritten(program: pr.Program, forms: tuple[str, ...], data: bytes) -> pr.Program:
    """Return a program with forms and earlier calls, the same for the same bytes."""
    source = random.Random(data)
    infos = program.infos
    statements = tuple(
        _with_form(s, infos, len(program.defined[number]), forms, source)
        for number, s in enumerate(program.statements)
    )
    count = source.choice(_CALLS)
    calls = tuple(_call(program.leaves, source) for _ in range(count))
    return pr.Program(program.leaves, statements, calls)


def _with_form(
    s: pr.Statement,
    infos: tuple[pr.Info, ...],
    results: int,
    forms: tuple[str, ...],
    source: random.Random,
) -> pr.Statement:
    if not isinstance(s, pr.Apply) or s.no_grad or not OPS[s.op].has_rules:
        return s
    if source.random() > _FORMED:
        return s
    of_inputs = {i: infos[i] for i in s.inputs}
    fitting = [name for name in forms if FORMS[name].fits(s.op, s.inputs, of_inputs, results)]
    return replace(s, form=source.choice(fitting)) if fitting else s


def _call(leaves: tuple[pr.Leaf, ...], source: random.Random) -> tuple[pr.Leaf, ...]:
    """Return leaves with numbers of the same bounds in another order, the last scaled down.

    A number keeps its sign, and stays a multiple of a power of two if it is one.
    """
    return tuple(
        replace(
            leaf,
            values=(*leaf.values[1:], *(v / 2 for v in leaf.values[:1])),
            requires_grad=leaf.requires_grad != (source.random() < _OTHER),
        )
        for leaf in leaves
    )
