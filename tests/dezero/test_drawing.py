"""Drawing of graphs: DOT text, files, Graphviz and notebooks."""

import re
from collections import Counter

import numpy as np
import pytest

import dezero.functions as F
from dezero import Function, Model, Variable
from dezero.models import MLP
from dezero.utils import get_dot_graph, plot_dot_graph
from tests.helpers.dezero import leaf

NODE = re.compile(r'(\w+) \[label="((?:[^"\\]|\\.)*)", (.*)\]', re.DOTALL)
EDGE = re.compile(r"(\w+) -> (\w+)")


def parsed(text):
    """The nodes of DOT text, number to (label, is a function), and its edges by labels."""
    lines = text.strip().split("\n")
    assert lines[0] == "digraph g {"
    assert lines[-1] == "}"
    nodes, edges = {}, []
    for line in lines[1:-1]:
        if found := EDGE.fullmatch(line):
            edges.append(found.groups())
        else:
            found = NODE.fullmatch(line)
            assert found, line
            number, label, style = found.groups()
            assert number not in nodes, "each node once"
            nodes[number] = (label, "shape=box" in style)
    assert {end for edge in edges for end in edge} <= set(nodes)
    return nodes, sorted((nodes[a][0], nodes[b][0]) for a, b in edges)


@pytest.fixture
def no_graphviz(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def graphviz(monkeypatch, tmp_path):
    """A ``dot`` that writes down its arguments and what it got."""
    folder = tmp_path / "bin"
    folder.mkdir()
    dot = folder / "dot"
    dot.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n/bin/cat > {tmp_path}/input\n'
        'for last; do :; done\n[ "$2" = svg ] && echo "<svg/>"\n'
        '[ "$3" = -o ] && echo picture > "$last"\nexit 0\n'
    )
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def failing_graphviz(graphviz):
    (graphviz / "bin" / "dot").write_text("#!/bin/sh\necho 'syntax error in line 3' >&2\nexit 1\n")


def named():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    x.name, w.name = "x", "w"
    y = F.exp(x * w)
    y.name = "y"
    return x, w, y


def test_functions_leaves_and_edges():
    *_held, y = named()
    nodes, edges = parsed(get_dot_graph(y, verbose=False))
    assert Counter(nodes.values()) == Counter(
        [("y", False), ("Exp", True), ("Mul", True), ("x", False), ("w", False)]
    )
    assert edges == [("Exp", "y"), ("Mul", "Exp"), ("w", "Mul"), ("x", "Mul")]


def test_verbose_text_shows_shapes_and_dtypes():
    x, w, y = named()
    x.name = None
    labels = {label for label, function in parsed(get_dot_graph(y))[0].values() if not function}
    assert labels == {"y: (2,) float64", "(2,) float64", "w: (2,) float64"}
    labels = {label for label, _ in parsed(get_dot_graph(y, verbose=False))[0].values()}
    assert labels == {"y", "", "w", "Exp", "Mul"}
    assert w.grad is None


def test_each_function_once_in_a_diamond():
    x = leaf(1.0)
    x.name = "x"
    h = F.exp(x)
    y = F.sin(h) + F.cos(h) * h
    nodes, edges = parsed(get_dot_graph(y, verbose=False))
    functions = Counter(label for label, function in nodes.values() if function)
    assert functions == Counter(["Exp", "Sin", "Cos", "Mul", "Add"])
    assert edges == [
        ("Add", ""),
        ("Cos", "Mul"),
        ("Exp", "Cos"),
        ("Exp", "Mul"),
        ("Exp", "Sin"),
        ("Mul", "Add"),
        ("Sin", "Add"),
        ("x", "Exp"),
    ]


def test_a_variable_used_twice_by_a_function_has_two_edges():
    x = leaf(2.0)
    x.name = "x"
    assert parsed(get_dot_graph(x * x, verbose=False))[1].count(("x", "Mul")) == 2


def test_constants_are_left_out():
    x = leaf(2.0)
    nodes, _ = parsed(get_dot_graph(x * 3 + Variable(np.array(1.0), requires_grad=False)))
    assert len(nodes) == 4  # the output, two functions, the leaf


@pytest.mark.parametrize("variable", [leaf(1.0), Variable(np.array(1.0), requires_grad=False)])
def test_a_leaf_alone(variable):
    nodes, edges = parsed(get_dot_graph(variable))
    assert list(nodes.values()) == [("() float64", False)]
    assert not edges


def test_a_function_with_several_outputs_is_one_box():
    class Two(Function):
        def forward(self, x):
            return x + 1, x * 2

        def backward(self, ga, gb):
            return ga + gb * 2

    x = leaf([1.0, 2.0])
    for a, b, name in [(*Two()(x), "Two"), (*F.split(x, 2), "Split")]:
        nodes, edges = parsed(get_dot_graph(a * b, verbose=False))
        assert [label for label, _ in nodes.values()].count(name) == 1
        assert edges.count((name, "Mul")) == 2
        assert (name, "") in parsed(get_dot_graph(a, verbose=False))[1]


def test_a_leaf_that_is_gone_has_an_empty_label():
    y = leaf(1.0) * 2
    nodes, _ = parsed(get_dot_graph(y, verbose=True))
    assert Counter(nodes.values()) == Counter([("() float64", False), ("Mul", True), ("", False)])


@pytest.mark.parametrize("name", ['a "quoted" name', "back\\slash", "end\\", "] -> [", "β"])
def test_any_name_is_a_label(name):
    x = leaf(1.0)
    x.name = name
    labels = {label for label, _ in parsed(get_dot_graph(x * 1, verbose=False))[0].values()}
    assert re.sub(r'(["\\])', r"\\\1", name) in labels


def test_the_graph_of_a_gradient_of_higher_order():
    x = leaf(0.5)
    F.tanh(x).backward(create_graph=True)
    gx = x.grad
    gx.name = "gx1"
    nodes, edges = parsed(get_dot_graph(gx, verbose=False))
    assert ("gx1", False) in nodes.values()
    assert ("Tanh", True) in nodes.values()
    assert len(edges) >= len(nodes) - 1


def test_a_drawn_graph_still_runs_and_a_freed_one_is_drawn():
    x, _w, y = named()
    text = get_dot_graph(y)
    y.backward()
    assert x.grad is not None
    assert get_dot_graph(y) == text


def test_long_chains_are_drawn_without_recursion():
    y = x = leaf(1.0)
    for _ in range(3000):
        y = y + 1
    nodes, edges = parsed(get_dot_graph(y))
    assert len(nodes) == 3002
    assert len(edges) == 3001
    assert x.grad is None


# files


@pytest.mark.usefixtures("no_graphviz")
@pytest.mark.parametrize(
    ("to_file", "written"),
    [(None, "graph.dot"), ("sub.png", "sub.dot"), ("g.svg", "g.dot"), ("plain", "plain.dot")],
)
def test_without_graphviz_the_text_is_written(tmp_path, to_file, written):
    *_held, y = named()
    arguments = {} if to_file is None else {"to_file": to_file}
    text = plot_dot_graph(y, verbose=False, **arguments)
    assert text == get_dot_graph(y, verbose=False)
    assert (tmp_path / written).read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == [written]


@pytest.mark.parametrize(
    ("to_file", "form"),
    [(None, "png"), ("g.svg", "svg"), ("g.pdf", "pdf"), ("plain", "png"), ("a b.png", "png")],
)
@pytest.mark.parametrize("verbose", [False, True])
def test_graphviz_draws_the_text(graphviz, to_file, form, verbose):
    *_held, y = named()
    arguments = {} if to_file is None else {"to_file": to_file}
    text = plot_dot_graph(y, verbose=verbose, **arguments)
    assert text == get_dot_graph(y, verbose=verbose)
    assert (graphviz / "input").read_text() == text
    file = to_file or "graph.png"
    assert (graphviz / "arguments").read_text() == f"-T {form} -o {file}\n"
    assert (graphviz / file).read_text() == "picture\n"
    assert not list(graphviz.glob("*.dot"))


@pytest.mark.usefixtures("failing_graphviz")
def test_a_failure_of_graphviz_is_an_error_with_its_words():
    *_held, y = named()
    with pytest.raises(RuntimeError, match=r"could not draw graph\.png: syntax error in line 3"):
        plot_dot_graph(y)


@pytest.mark.usefixtures("no_graphviz")
def test_a_model_draws_itself(tmp_path):
    model = MLP((2, 1))
    assert isinstance(model, Model)
    model.plot(np.ones((4, 3), np.float32), to_file="mine.png")
    nodes, _ = parsed((tmp_path / "mine.dot").read_text())
    labels = [label for label, _ in nodes.values()]
    assert labels.count("MatMul") == labels.count("Add") == 2
    assert "W: (3, 2) float32" in labels


# notebooks


def test_a_notebook_shows_the_picture_of_a_computed_variable(graphviz):
    x, _w, y = named()
    assert y._repr_html_() == "<svg/>\n"
    assert (graphviz / "input").read_text() == get_dot_graph(y)
    assert x._repr_html_() is None
    assert y.detach()._repr_html_() is None


@pytest.mark.usefixtures("no_graphviz")
def test_a_notebook_without_graphviz_shows_text(tmp_path):
    assert named()[-1]._repr_html_() is None
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("failing_graphviz")
def test_a_notebook_with_a_failing_graphviz_shows_text():
    assert named()[-1]._repr_html_() is None
