"""The styles of ``parity adapter``: each runs once its few lines are filled in."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from parity.cli.main import main
from parity.cli.options import PARITY
from parity.engines.load import EngineError, load_engine
from parity.engines.template_operations import type_of
from parity.engines.template_styles import STYLES
from parity.engines.unfilled import unfilled
from parity.language.table import OPS, with_rules
from tests.engines.test_template import SCALARS
from tests.helpers.programs import write_module

#: For each style what stands in the place of the lines with ``...``, in their order.
FILLED: dict[str, tuple[str, ...]] = {
    "scalar": (
        "from scalars_of_styles import Value as Tensor",
        "        return np.array(float(t.data))",
        "        return np.array(float(t.grad))",
        "        root.backward(retain_graph)",
    ),
    "numpy-like": (
        "import library_of_styles as library",
        "        return library.Variable(array.copy(), requires_grad=requires_grad)",
        "        return t.data",
        "        return None if t.grad is None else t.grad.data",
        "        t.backward(gradient, retain_graph=retain_graph)",
    ),
    "torch-like": (
        "import torch as library",
        "        return library.tensor(array, requires_grad=requires_grad)",
        "        return t.detach().numpy()",
        "        return None if t.grad is None else t.grad.numpy()",
        "        t.backward(None if gradient is None else library.tensor(gradient), retain_graph)",
    ),
    "functional": (
        "import autograd.numpy as library",
        "        return np.array(a)",
        "        from autograd import make_vjp; value = function(*arguments); "
        "pull = make_vjp(function, tuple(range(len(arguments))))(*arguments)[0]",
    ),
}
#: ``dezero`` by NumPy's names.
LIBRARY = """
    from dezero import Variable
    from dezero.functions import add, mul, sub, sum, tanh
    multiply, subtract = mul, sub
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.oracle.probes.DEEP", 500)
    monkeypatch.setattr(sys, "path", list(sys.path))
    write_module(tmp_path, "scalars_of_styles.py", SCALARS)
    write_module(tmp_path, "library_of_styles.py", LIBRARY)


def _written(style: str, filled: int = 99) -> Path:
    """An adapter of a style with so many of its lines filled in."""
    file = Path(f"{style.replace('-', '_')}.py")
    assert main(["adapter", str(file), f"--{style}"]) == 0
    lines = file.read_text().splitlines()
    places = [
        i for i, line in enumerate(lines) if re.search(r"(^|= |return )\.\.\.$", line.strip())
    ]
    assert len(places) == len(FILLED[style])
    for i, text in list(zip(places, FILLED[style], strict=True))[:filled]:
        lines[i] = text
    file.write_text("\n".join(lines) + "\n")
    return file


def test_each_style_but_the_plain_one_is_tried_here() -> None:
    assert {"", *FILLED} == set(STYLES)


@pytest.mark.parametrize("style", FILLED)
def test_an_adapter_of_the_style_passes_once_it_is_filled_in(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _written(style)
    engine = f"{file}:Mine"
    status = main(
        ["check", "--engine", engine, "--examples", "60", "--ops", "add,mul", "--no-isolate"]
    )
    assert status == PARITY, capsys.readouterr()


@pytest.mark.parametrize("style", FILLED)
def test_each_line_that_is_left_is_named(style: str) -> None:
    for filled in range(len(FILLED[style])):
        Path(f"{style.replace('-', '_')}.py").unlink(missing_ok=True)
        file = _written(style, filled)
        left = unfilled(file.read_text(), "Mine")
        assert left is not None
        with pytest.raises(EngineError) as caught:
            load_engine(f"{file}:Mine")
        assert str(caught.value) == f"line {left[0]} of {file}: {left[1]} is not filled in"


@pytest.mark.parametrize("style", FILLED)
def test_a_gradient_of_another_shape_is_refused(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _written(style)
    Path("wrong.txt").write_text("x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1, gradient=[1.0])")
    assert main(["run", "wrong.txt", "--engine", f"{file}:Mine", "--no-isolate"]) == PARITY
    assert "raised ValueError: the gradient has the shape (1,)" in capsys.readouterr().out


def test_every_attribute_of_an_operation_has_a_type_in_words() -> None:
    for op in OPS.values():
        assert all(type_of(op, name) for name in op.kinds), op.name


def test_lines_of_operations_fit_and_have_the_types_above() -> None:
    for style in STYLES:
        main(["adapter", f"{style or 'plain'}_.py", *([f"--{style}"] if style else [])])
        text = Path(f"{style or 'plain'}_.py").read_text()
        if style != "scalar":
            assert "# axis: int, tuple of int, or None for all axes; keepdims: bool\n" in text
            assert '# "sum": lambda a, *, axis, keepdims:' in text


def test_scalars_have_no_axes() -> None:
    names = STYLES["scalar"].operations()
    assert {"pow", "exp", "add_scalar"} <= set(names) <= set(with_rules())
    assert not {"axis", "shape", "axes", "index"} & {key for n in names for key in OPS[n].kinds}


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("class Mine:\n    ops = {'add': ...}", (2, "operation `add`")),
        ("class Mine:\n    ops = {'add': lambda a, b: ...}", (2, "operation `add`")),
        ("class Mine:\n    name = ...", (2, "`name`")),
        ("class Mine:\n    def grad(self, t):\n        a = t\n        ...", (4, "`grad`")),
        ("class Mine:\n    def grad(self, t): ...", None),
        ("class Mine: ...", None),
        ("class Other:\n    def grad(self, t): ...\nclass Mine:\n    pass", None),
        ("class Mine:\n    def value(self, t):\n        return t.data[..., 0]", None),
        ("class Mine:\n    def value(self, t", None),
    ],
)
def test_what_counts_as_left(source: str, left: tuple[int, str] | None) -> None:
    assert unfilled(source, "Mine") == left
