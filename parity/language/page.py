"""The page of all operations: ``python -m parity.language.page > docs/operations.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from parity._util.markdown import table
from parity.language import attributes as kinds
from parity.language.attributes import AttributeKind
from parity.language.domains import DOMAINS
from parity.language.named_kinds import NAMED_KINDS
from parity.language.operation import OPERANDS, Operation
from parity.language.operations.plain import FAMILIES
from parity.language.table import OPS, with_rules

_PAGE: Final = """\
# Operations

`python -m parity.language.page > docs/operations.md` makes this page from the table of operations,
`parity/language/table.py`. There are {count} operations; {ruled} of them have rules as well
([CONTRIBUTING.md](../CONTRIBUTING.md#add-an-operation)).

- PyTorch: what the operation computes. Operands are `a`, `b`, `c` ..., or `xs` for any number;
  `F` is `torch.nn.functional`.
- operands: their shapes. A number is a length, a letter is the same length wherever it stands,
  `*s` is any shape, `+s` one of at least one axis, and `~s` a shape that broadcasts with it.
- domain: the numbers that operands have; any number, if nothing is said.
- no derivative: where it has none, or jumps. What an engine does there is a convention, within the
  limits that [oracles.md](oracles.md) states.

{sections}

## Domains

The letters that a row of the table has for them:

{domains}

## Kinds of attributes

The names that a row of the table has for attributes that depend on the shapes of operands:

{kinds}
"""
#: The longest text of an attribute's choices.
_LONGEST: Final = 60
#: The kinds of attributes of rows with rules, in words.
_WORDS: Final[dict[AttributeKind, str]] = {
    kinds.INTEGER: "an integer",
    kinds.NUMBER: "a number",
    kinds.OPTIONAL_NUMBER: "a number or None",
    kinds.FLAG: "true or false",
    kinds.FLAGS: "booleans",
    kinds.TEXT: "a text",
    kinds.AXIS: "an axis",
    kinds.AXES: "distinct axes",
    kinds.REDUCED_AXES: "an axis, several, or None for all",
    kinds.INTEGERS: "integers",
    kinds.NESTED_INTEGERS: "integers",
    kinds.PAIRS: "pairs of integers",
    kinds.LENGTHS: "a shape",
    kinds.INDEX: "an index",
}


def page() -> str:
    """Return the page of all operations in Markdown.

    >>> "| `cumprod` | `torch.cumprod(a, dim=axis)` | `+s` |" in page()
    True
    """
    ruled = [OPS[name] for name in with_rules()]
    families = [(str(f.__doc__).partition("\n")[0], f.ROWS) for f in FAMILIES]
    sections = [_section("With rules", "", ruled)]
    sections += [_section(*_title(text), rows) for text, rows in families]
    return _PAGE.format(
        count=len(ruled) + sum(len(rows) for _, rows in families),
        ruled=len(ruled),
        sections="\n\n".join(sections),
        domains=_legend((letter, domain.words) for letter, domain in DOMAINS.items()),
        kinds=_legend((name, kind.words) for name, kind in NAMED_KINDS.items()),
    )


def _title(docstring: str) -> tuple[str, str]:
    """Return the heading of a family and the rest of its description."""
    heading, _, rest = docstring.rstrip(".").partition("; ")[0].partition(": ")
    return heading, f"{rest[:1].upper()}{rest[1:]}." if rest else ""


def _section(heading: str, text: str, rows: Sequence[Operation]) -> str:
    header = ("name", "PyTorch", "operands", "domain", "attributes", "no derivative")
    lines = table(header, map(_cells, rows))
    return "\n".join((f"## {heading}", "", *((text, "") if text else ()), *lines))


def _cells(op: Operation) -> tuple[str, ...]:
    torch = _code(op.torch) if op.torch is not None else "not there"
    return (
        *(_code(op.name), torch, _code(op.operands)),
        *(_domain(op), _attributes(op), op.kinks),
    )


def _code(text: str) -> str:
    return f"`{text}`"


def _domain(op: Operation) -> str:
    """Return the domains of the operands in words."""
    domains = op.domains(len(op.template.operands))
    if all(domain is domains[0] for domain in domains):
        return "" if domains[0] is DOMAINS["R"] else domains[0].words
    named = zip(OPERANDS, domains, strict=False)
    return "; ".join(f"`{name}` {d.words}" for name, d in named if d is not DOMAINS["R"])


def _attributes(op: Operation) -> str:
    """Return the attributes with their choices or kinds."""
    plain = {name: _choices(choices) for name, choices in op.attributes.items()}
    ruled = {name: _WORDS.get(kind, "") for name, kind in op.attrs.items()}
    return "; ".join(f"`{name}` {text}".rstrip() for name, text in (plain | ruled).items())


def _choices(choices: Any) -> str:
    if isinstance(choices, str):
        return NAMED_KINDS[choices].words
    text = ", ".join(map(repr, choices))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rpartition(',')[0]} ..."


def _legend(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(table(("", "meaning"), ((_code(name), words) for name, words in rows)))


if __name__ == "__main__":
    sys.stdout.write(page())
