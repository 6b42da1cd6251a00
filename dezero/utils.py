"""Drawing of graphs, as DOT text and with Graphviz where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from dezero.graph import Leaf, Node
from dezero.variable import Variable


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _label(v: Variable, verbose: bool) -> str:
    name = v.name or ""
    if verbose:
        name += (": " if v.name else "") + f"{v.shape} {v.dtype}"
    return name


def get_dot_graph(output: Variable, verbose: bool = True) -> str:
    """The graph behind a Variable in the DOT language.

    Boxes are functions, round nodes are leaves and the output; with ``verbose``
    they show shape and dtype. An edge between two functions is a Variable that
    the graph does not keep.
    """
    lines = ["digraph g {"]
    numbers: dict[Any, int] = {}

    def number(node: Any) -> int:
        return numbers.setdefault(node, len(numbers))

    root = output._node
    lines.append(f"y [label={_quoted(_label(output, verbose))}, color=orange, style=filled]")
    todo: list[Node] = []
    seen: set[Any] = set()
    if isinstance(root, Node):
        todo.append(root.function)
        seen.add(root.function)
        lines.append(f"{number(root.function)} -> y")
    while todo:
        function = todo.pop()
        name = type(function).__name__
        lines.append(
            f"{number(function)} [label={_quoted(name)}, color=lightblue, style=filled, shape=box]"
        )
        for edge in function.edges:
            if edge is None:
                continue
            node = edge if isinstance(edge, Leaf) else edge.function
            lines.append(f"{number(node)} -> {number(function)}")
            if node in seen:
                continue
            seen.add(node)
            if isinstance(node, Leaf):
                leaf = node.variable()
                label = _label(leaf, verbose) if leaf is not None else ""
                lines.append(f"{number(node)} [label={_quoted(label)}, color=orange, style=filled]")
            else:
                todo.append(node)
    return "\n".join([*lines, "}"]) + "\n"


def _run_dot(text: str, form: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Graphviz on DOT text."""
    command = ["dot", "-T", form, *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True)


def plot_dot_graph(output: Variable, verbose: bool = True, to_file: str = "graph.png") -> str:
    """Write the graph behind a Variable to a picture; returns its DOT text.

    Where Graphviz is not installed, the DOT text is written beside it instead
    (``graph.dot``). The format is that of the file's suffix. Raises RuntimeError
    if Graphviz fails.
    """
    text = get_dot_graph(output, verbose)
    file = Path(to_file)
    if shutil.which("dot") is None:
        file.with_suffix(".dot").write_text(text)
        return text
    run = _run_dot(text, file.suffix.lstrip(".") or "png", "-o", str(file))
    if run.returncode:
        raise RuntimeError(f"dot could not draw {to_file}: {run.stderr.strip()}")
    return text


def svg(output: Variable) -> str | None:
    """The picture of the graph for notebooks, or None without Graphviz."""
    if shutil.which("dot") is None:
        return None
    run = _run_dot(get_dot_graph(output), "svg")
    return run.stdout if run.returncode == 0 else None
