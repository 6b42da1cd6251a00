"""What a finding depends on beside the operations: what is read when, layouts, dropped values.

A reduced program is tried in both ways: read at once, and not read. What makes the difference is
said in a sentence, and the program says it too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from parity.diagnose.repair import replaced, with_statements
from parity.language import program as pr
from parity.language.layouts import LAYOUTS
from parity.oracle.finding import Finding

Check = Callable[[pr.Program], Finding | None]

#: Programs with more results are not asked which of them matter.
_MOST = 12


def explicit(program: pr.Program, finding: Finding, check: Check) -> tuple[pr.Program, Finding]:
    """Return a program that says what has to be read, and the finding with ``only`` set.

    ``check`` returns the finding on a program, or None.
    """
    if finding.repeats is not None or finding.stopped:
        return program, finding
    where = [*_layouts(program, check), *_dropped(program, check)]
    if program.unread:
        where += _not_read(program, check)
    else:
        program, finding, read = _read(program, finding, check)
        where += read
    only = f"only where {', and '.join(where)}" if where else ""
    return program, replace(finding, only=only)


def with_read(program: pr.Program, value: int) -> pr.Program:
    """Return the program that reads a result as soon as it is there."""
    number = next(n for n, values in enumerate(program.defined) if value in values)
    return with_statements(program, number, program.statements[number], pr.Read(value))


def _results(program: pr.Program) -> range:
    first = len(program.leaves)
    return range(first, min(first + _MOST, len(program.infos)))


def _names(values: list[int], joint: str) -> str:
    return f" {joint} ".join(f"x{value}" for value in values)


def _not_read(program: pr.Program, check: Check) -> list[str]:
    """Return what must not be read in a program that does not read everything."""
    if check(program.all_read()) is not None:
        return []
    if program.unread == "all" and check(replace(program, unread="values")) is None:
        return ["gradients are not read before the last event"]
    found = [value for value in _results(program) if check(with_read(program, value)) is None]
    if not found:
        return ["results are not read as soon as they are there"]
    verb = "is" if len(found) == 1 else "are"
    return [f"{_names(found, 'and')} {verb} not read right after the statement"]


def _read(
    program: pr.Program, finding: Finding, check: Check
) -> tuple[pr.Program, Finding, list[str]]:
    """Return what must be read in a program that reads everything, which then says so."""
    unread = replace(program, unread="values")
    computed = finding.what == "value" and finding.which >= len(program.leaves)
    if computed and 0 <= finding.statement < len(program.statements):
        number = finding.statement
        seen = program.statements[number], pr.Read(finding.which)
        unread = with_statements(unread, number, *seen)
    if not _results(program) or check(unread) is not None:
        return program, finding, []
    tried = {value: with_read(unread, value) for value in _results(program)}
    found = {value: f for value, p in tried.items() if (f := check(p)) is not None}
    if not found:
        return program, finding, ["results are read as soon as they are there"]
    first = next(iter(found))
    if found[first].kind == finding.kind:
        program, finding = tried[first], found[first]
    return program, finding, [f"{_names(list(found), 'or')} is read right after the statement"]


def _layouts(program: pr.Program, check: Check) -> list[str]:
    """Return which arrays must have the layout that they have."""
    where = []
    for i, leaf in enumerate(program.leaves):
        plain = replaced(program.leaves, i, replace(leaf, layout="C"))
        if leaf.layout != "C" and check(replace(program, leaves=plain)) is None:
            where.append(f"x{i} is given as {LAYOUTS[leaf.layout].noun}")
    for number, s in enumerate(program.statements):
        if isinstance(s, pr.Backward) and s.gradient is not None and s.gradient.layout != "C":
            usual = replace(s, gradient=replace(s.gradient, layout="C"))
            if check(with_statements(program, number, usual)) is None:
                noun = LAYOUTS[s.gradient.layout].noun
                where.append(f"the gradient that is passed is {noun}")
    return where


def _dropped(program: pr.Program, check: Check) -> list[str]:
    """Return which values must be dropped."""
    places = [n for n, s in enumerate(program.statements) if isinstance(s, pr.Drop)]
    return [
        f"x{program.statements[n].operands()[0]} is dropped"
        for n in places
        if check(with_statements(program, n)) is None
    ]
