"""Programs for engines that take them whole: other forms of operations, and earlier calls.

Both mean nothing to the reference. A form is one of ``parity.language.forms``. An earlier call has
other leaves: other numbers, and ``requires_grad`` on some only. So a compiler meets a function
again that it has compiled for other arguments. A backward comes from every result that nothing
reads, so that each operation is differentiated.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

from parity.language import program as pr
from parity.language.forms import ARGUMENT, FORMS, FUNCTIONS
from parity.language.shapes import size
from parity.language.table import OPS

#: The share of operations with a form, and how often programs have so many earlier calls.
_FORMED, _CALLS = 0.6, (0, 0, 0, 0, 0, 0, 1, 1, 1, 2)
#: The share of leaves of an earlier call that have the other ``requires_grad``.
_OTHER = 0.2
#: The share of operations of two operands that get the same one twice, and of these with a form of
#: the user's own function: compilers err there. Only where any number is in the domain.
_TWICE, _FUNCTION = 0.25, 0.6
_ANY_NUMBER = frozenset({*FUNCTIONS, "sum", "matmul", "reshape", "transpose", "concat"}) | {
    *("get_item", "mean")
}
_ANY_NUMBER -= {"div", "sqrt", "exp"}
#: The share of operations on a leaf that get it as an argument of its own, after earlier calls in
#: which that was another object.
_ARGUMENT = 0.3
#: Gradients of the backwards that are added: exact numbers.
_GRADIENTS = (1.0, 2.0, -1.0, 3.0, 0.5, -2.0)


def rewritten(program: pr.Program, forms: tuple[str, ...], data: bytes) -> pr.Program:
    """Return a program with forms and earlier calls, the same for the same bytes."""
    source = random.Random(data)
    program = _with_pairs(program, source)
    count = source.choice(_CALLS)
    statements = [
        _with_form(program, number, s, forms, source, again=count > 0)
        for number, s in enumerate(program.statements)
    ]
    statements += _backwards(program)
    calls = tuple(_call(program.leaves, source) for _ in range(count))
    return pr.Program(program.leaves, tuple(_retained(statements)), calls=calls)


def _with_pairs(program: pr.Program, source: random.Random) -> pr.Program:
    """Give some operations one operand twice, in programs where any number is in the domain."""
    applied = [s for s in program.statements if isinstance(s, pr.Apply)]
    if not all(s.op in _ANY_NUMBER for s in applied):
        return program
    infos = program.infos
    statements = (
        replace(s, inputs=s.inputs[:1] * 2)
        if isinstance(s, pr.Apply)
        and s.op in ("add", "mul", "sub")
        and infos[s.inputs[0]] == infos[s.inputs[1]]
        and source.random() < _TWICE
        else s
        for s in program.statements
    )
    return replace(program, statements=tuple(statements))


def _with_form(
    program: pr.Program,
    number: int,
    s: pr.Statement,
    forms: tuple[str, ...],
    source: random.Random,
    again: bool,
) -> pr.Statement:
    """Return a statement in another form; ``again``: whether there are earlier calls."""
    if not isinstance(s, pr.Apply) or s.no_grad or not OPS[s.op].has_rules:
        return s
    if source.random() > _FORMED:
        return s
    of_inputs, results = {i: program.infos[i] for i in s.inputs}, len(program.defined[number])
    known = {n for n in forms if FORMS[n].fits(s.op, s.inputs, of_inputs, results)}
    is_leaf = s.inputs[-1] < len(program.leaves)
    if again and is_leaf and ARGUMENT in known and source.random() < _ARGUMENT:
        return replace(s, form=ARGUMENT)
    fitting = sorted(known - {ARGUMENT})
    own = [name for name in fitting if FORMS[name].ops == FUNCTIONS]
    if len(set(s.inputs)) < len(s.inputs) and own and source.random() < _FUNCTION:
        fitting = own
    return replace(s, form=source.choice(fitting)) if fitting else s


def _backwards(program: pr.Program) -> Iterator[pr.Backward]:
    """Yield a backward from each result that nothing reads."""
    read = {i for s in program.statements for i in s.operands()}
    for value in range(len(program.leaves), len(program.infos)):
        info = program.infos[value]
        if value not in read and info.requires_grad:
            values = itertools.islice(itertools.cycle(_GRADIENTS), size(info.shape))
            yield pr.Backward(value, pr.Constant(info.shape, tuple(values), info.dtype))


def _retained(statements: list[pr.Statement]) -> Iterator[pr.Statement]:
    """Keep the graph in each backward but the last."""
    places = [k for k, s in enumerate(statements) if isinstance(s, pr.Backward)]
    for number, s in enumerate(statements):
        kept = isinstance(s, pr.Backward) and number != places[-1]
        yield replace(s, retain_graph=True) if kept and isinstance(s, pr.Backward) else s


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
