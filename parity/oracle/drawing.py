"""A drawing of a program as SVG: values as boxes, operations on the edges, gradients of both sides.

For pages such as ``parity.run`` in a notebook: it needs no library and no script.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from parity.engines.trace import Trace
from parity.language import program as pr
from parity.oracle.side_by_side import texts_of

#: Pixels: of a box and the room around it, and of a line of text in it.
_WIDTH, _GAP_X, _GAP_Y, _LINE, _MARGIN = 210, 30, 46, 16, 12
#: Pixels between the lines of several uses.
_USES = 14
#: Characters of a line in a box.
_CHARACTERS = 26
#: Programs with more values are not drawn.
_MOST = 60
_STYLE = (
    "text{font:12px monospace;fill:#111}rect{fill:#f6f6f6;stroke:#888}"
    "line,path{stroke:#888;fill:none}"
    ".wrong rect{fill:#ffe3e0;stroke:#c22}.wrong text.side{fill:#a00}"
)


@dataclass(frozen=True)
class _Box:
    """A value of the program with its place in the drawing."""

    lines: tuple[str, ...]
    wrong: bool
    column: int
    layer: int


def drawing(program: pr.Program, engine: Trace, reference: Trace) -> str:
    """Return the graph of a program as SVG, with the values and gradients of both sides.

    A value whose numbers differ has another colour, and both numbers, the engine's first. The
    text is empty for a program with many values.
    """
    if len(program.infos) > _MOST:
        return ""
    boxes = list(_boxes(program, engine, reference))
    heights = _heights(boxes)
    tops = [_MARGIN + sum(heights[:layer]) + _GAP_Y * layer for layer in range(len(heights))]
    width = 2 * _MARGIN + max(box.column + 1 for box in boxes) * (_WIDTH + _GAP_X)
    height = tops[-1] + heights[-1] + _MARGIN
    parts = [*_edges(program, boxes, tops), *(_drawn(box, tops[box.layer]) for box in boxes)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img"><title>graph of the program</title>'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>"
    )


def _boxes(program: pr.Program, engine: Trace, reference: Trace) -> Iterator[_Box]:
    """Yield a box for each value, in layers: each below the values that it is computed from."""
    lines = str(program).splitlines()
    codes: dict[int, str] = dict(enumerate(lines[: len(program.leaves)]))
    layers = [0] * len(program.infos)
    for number, (statement, values) in enumerate(
        zip(program.statements, program.defined, strict=True)
    ):
        inputs = (*statement.operands(), *statement.leaf_operands())
        for value in values:
            codes[value] = lines[len(program.leaves) + number]
            layers[value] = 1 + max((layers[i] for i in inputs), default=0)
    columns: dict[int, int] = {}
    for value, layer in enumerate(layers):
        column = columns.setdefault(layer, 0)
        columns[layer] += 1
        texts = list(_texts(program, value, engine, reference))
        wrong = any(a != b for _, a, b in texts)
        shown = [
            f"{what} {a}" if a == b else f"{what} {a} != {b}" for what, a, b in texts if a or b
        ]
        yield _Box((codes[value], *shown), wrong, column, layer)


def _texts(
    program: pr.Program, value: int, engine: Trace, reference: Trace
) -> Iterator[tuple[str, str, str]]:
    """Yield what is known of a value: the word, the engine's text and the reference's."""
    is_leaf = value < len(program.leaves)
    for word, what in (("=", "value"), ("grad", "grad")):
        if is_leaf is (what == "value"):
            continue  # the code of a leaf has its value; results have no gradient here
        arrays = [
            [o.array for o in trace.observations if (o.what, o.which) == (what, value)]
            for trace in (engine, reference)
        ]
        pairs = [texts_of(a, b) for a, b in zip(*arrays, strict=False)]
        if pairs:  # the first that differs, or else the last
            yield (word, *next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1]))


def _heights(boxes: list[_Box]) -> list[int]:
    """Return the height of each layer."""
    layers = range(max(box.layer for box in boxes) + 1)
    return [_LINE * max(len(b.lines) for b in boxes if b.layer == layer) + 10 for layer in layers]


def _left(box: _Box) -> int:
    return _MARGIN + box.column * (_WIDTH + _GAP_X)


def _edges(program: pr.Program, boxes: list[_Box], tops: list[int]) -> Iterator[str]:
    """Yield a line for each use of a value: several beside each other for the same operand."""
    for statement, values in zip(program.statements, program.defined, strict=True):
        inputs = (*statement.operands(), *statement.leaf_operands())
        for value, (number, i) in itertools.product(values, enumerate(inputs)):
            start, end = boxes[i], boxes[value]
            if end.layer - start.layer > 1:
                yield _around(start, end, tops)
                continue
            beside = _USES * (inputs[:number].count(i) - (inputs.count(i) - 1) / 2)
            x1, x2 = (_left(box) + _WIDTH // 2 + beside for box in (start, end))
            y1 = tops[start.layer] + _LINE * len(start.lines) + 10
            yield f'<line x1="{x1:g}" y1="{y1}" x2="{x2:g}" y2="{tops[end.layer]}"/>'


def _around(start: _Box, end: _Box, tops: list[int]) -> str:
    """Return a curve beside the boxes, for a use further down, which they would hide."""
    x1, x2 = (_left(box) + _WIDTH for box in (start, end))
    y1, y2 = (tops[box.layer] + (_LINE * len(box.lines) + 10) // 2 for box in (start, end))
    bend = max(x1, x2) + _GAP_X
    return f'<path d="M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}"/>'


def _drawn(box: _Box, top: int) -> str:
    left, height = _left(box), _LINE * len(box.lines) + 10
    texts = [
        f'<text class="{"side" if row else "code"}" x="{left + 8}" y="{top + _LINE * (row + 1)}">'
        f"{escape(_cut(line))}<title>{escape(line)}</title></text>"
        for row, line in enumerate(box.lines)
    ]
    wrong = ' class="wrong"' if box.wrong else ""
    rect = f'<rect x="{left}" y="{top}" width="{_WIDTH}" height="{height}" rx="4"/>'
    return f"<g{wrong}>{rect}{''.join(texts)}</g>"


def _cut(line: str) -> str:
    return line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 3]}..."
