"""From a name to an engine, and each way in which that can go wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite
from parity.engines import Engine
from parity.engines.adapters.dezero import Dezero
from parity.engines.adapters.torch import Torch
from parity.engines.base import BITWISE, CONSTANTS, OPTIONAL, abilities
from parity.engines.builtin import BUILT_IN, FRAMEWORKS, PEERS
from parity.engines.execute import owns_buffer
from parity.engines.load import EngineError, load_engine
from parity.oracle.exact.engine import Exact
from tests.helpers.programs import TORCH, write_module

MINE = """
    from parity.diagnose.defects.engine import TapeEngine

    class Mine(TapeEngine):
        name = "mine"
"""


@pytest.mark.parametrize(("spec", "cls"), [("dezero", Dezero), ("exact", Exact), ("torch", Torch)])
def test_built_in_names(spec: str, cls: type[Engine]) -> None:
    engine = load_engine(spec)
    assert type(engine) is cls
    assert engine.name == spec
    assert engine.version
    assert set(BUILT_IN) == {"dezero", "exact", "torch", "torch.func", *PEERS, *FRAMEWORKS}


def test_class_of_a_module() -> None:
    assert type(load_engine("parity.diagnose.defects.traversal:Overwrite")) is Overwrite


def test_class_of_a_file(tmp_path: Path) -> None:
    file = write_module(tmp_path, "mine.py", MINE)
    assert load_engine(f"{file}:Mine").name == "mine"


def test_class_of_a_file_named_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(tmp_path, "folder/mine.py", MINE)
    monkeypatch.chdir(tmp_path)
    assert load_engine("folder/mine.py:Mine").name == "mine"


def test_path_with_a_colon(tmp_path: Path) -> None:
    file = write_module(tmp_path, "a:b/mine.py", MINE)
    assert load_engine(f"{file}:Mine").name == "mine"


def test_files_of_the_same_name_do_not_meet(tmp_path: Path) -> None:
    files = [
        write_module(tmp_path, f"{folder}/mine.py", MINE.replace('"mine"', f'"{folder}"'))
        for folder in ("one", "two")
    ]
    assert [load_engine(f"{file}:Mine").name for file in files] == ["one", "two"]


def test_a_file_imports_the_module_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    write_module(tmp_path, "beside_it_engines.py", "NAME = 'beside'")
    file = write_module(
        tmp_path,
        "mine.py",
        """
        import beside_it_engines
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            name = beside_it_engines.NAME
        """,
    )
    assert load_engine(f"{file}:Mine").name == "beside"


def test_a_file_does_not_shadow_modules_that_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    write_module(tmp_path, "colorsys.py", "raise AssertionError('shadowed')")
    file = write_module(tmp_path, "mine.py", "    import colorsys" + MINE)
    assert load_engine(f"{file}:Mine").name == "mine"


def test_the_module_beside_a_file_is_meant_not_the_package_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    monkeypatch.setattr(sys, "path", [*sys.path, str(installed)])
    write_module(installed, "twice_there_engines.py", "NAME = 'installed'")
    write_module(tmp_path, "twice_there_engines.py", "NAME = 'beside'")
    text = "    import twice_there_engines" + MINE.replace('"mine"', "twice_there_engines.NAME")
    assert load_engine(f"{write_module(tmp_path, 'mine.py', text)}:Mine").name == "beside"


def test_a_file_that_imports_itself_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    text = "    import own_name_engines.engine" + MINE
    file = write_module(tmp_path, "own_name_engines.py", text)
    assert "it imports itself: rename own_name_engines.py" in _refused(f"{file}:Mine")


#: Files that are no good: text after an import of TapeEngine, class name, words of the message.
BAD_FILES: dict[str, tuple[str, list[str]]] = {
    "syntax error": ("class Mine(:", ["cannot be loaded", "SyntaxError"]),
    "import error": ("import no_such_module_here", ["cannot be loaded", "no_such_module_here"]),
    "error of many lines": ("raise ValueError('a\\\\nb\\\\nc')", ["ValueError: a\\nb\\nc"]),
    "ends the program": ("raise SystemExit(0)", ["cannot be loaded", "SystemExit"]),
    "no such class": (
        "class One(TapeEngine): ...\nclass Two(TapeEngine): ...",
        ["has no class 'Mine'", "One, Two"],
    ),
    "no class at all": ("del TapeEngine", ["has no class 'Mine'"]),
    "not a class": ("Mine = TapeEngine()", ["not a subclass of parity.engines.Engine"]),
    "not a subclass": ("class Mine: ...", ["not a subclass of parity.engines.Engine"]),
    "methods missing": (
        "class Mine(Engine):\n    name = 'a'\n    ops = {'add': max}\n    value = max\n"
        "    leaf = max",
        ["does not define grad, backward"],
    ),
    "all missing": ("class Mine(Engine): ...", ["does not define leaf, value, grad, backward"]),
    "no name": ("class Mine(TapeEngine):\n    name = ''", ["has no name", "name ="]),
    "name is no text": ("class Mine(TapeEngine):\n    name = 3", ["has no name"]),
    "constructor raises": (
        "class Mine(TapeEngine):\n    def __init__(self):\n        raise OSError('no\\\\ndevice')",
        ["cannot be created", "OSError: no\\ndevice"],
    ),
    "constructor wants something": (
        "class Mine(TapeEngine):\n    def __init__(self, device): ...",
        ["cannot be created", "device"],
    ),
    "constructor ends the program": (
        "class Mine(TapeEngine):\n    def __init__(self):\n        raise SystemExit(0)",
        ["cannot be created", "SystemExit"],
    ),
}
#: Values of class attributes that are no good.
BAD_ATTRIBUTES: dict[str, tuple[str, list[str]]] = {
    "ops empty": ("ops = {}", ["has no operations"]),
    "ops missing": ("ops = Engine.ops", ["has no operations"]),
    "ops a list": ("ops = ['add']", ["has no operations"]),
    "ops unknown": (
        "ops = {'add': max, 'frob': max, 'bar': max}",
        ["unknown operations", "bar", "frob", "docs/operations.md", "extra_ops"],
    ),
    "ops with numbers": ("ops = {1: max, 'add': max}", ["unknown operations", "1"]),
    "ops not callable": ("ops = {'add': 3, 'mul': max}", ["not callable", "add"]),
    "dtypes unknown": ("dtypes = ('float64', 'float16')", ["float16"]),
    "dtypes empty": ("dtypes = ()", ["dtypes ()"]),
    "dtypes a text": ("dtypes = 'float64'", ["dtypes 'float64'"]),
    "dtypes a number": ("dtypes = 64", ["dtypes 64"]),
    "dtypes of lists": ("dtypes = ([],)", ["dtypes"]),
    "max_ndim a text": ("max_ndim = '2'", ["max_ndim"]),
    "max_ndim negative": ("max_ndim = -1", ["max_ndim"]),
    "quirks a text": ("quirks = 'clears'", ["quirks"]),
    "quirks of numbers": ("quirks = frozenset({1, 'a'})", ["quirks"]),
}


def _refused(spec: str) -> str:
    with pytest.raises(EngineError) as caught:
        load_engine(spec)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("way", BAD_FILES)
def test_bad_file_is_an_error_of_one_line(tmp_path: Path, way: str) -> None:
    text, words = BAD_FILES[way]
    file = tmp_path / "bad.py"
    head = (
        "from parity.diagnose.defects.engine import TapeEngine\nfrom parity.engines import Engine\n"
    )
    file.write_text(head + text.replace("\\\\n", "\\n") + "\n")
    message = _refused(f"{file}:Mine")
    assert [word for word in (str(file), *words) if word not in message] == []


@pytest.mark.parametrize("way", BAD_ATTRIBUTES)
def test_bad_attribute_is_an_error_of_one_line(tmp_path: Path, way: str) -> None:
    text, words = BAD_ATTRIBUTES[way]
    file = write_module(
        tmp_path,
        "bad.py",
        f"""
        from parity.engines import Engine

        class Mine(Engine):
            name = "mine"
            ops = {{"add": max}}
            leaf = value = grad = backward = max
            {text}
        """,
    )
    message = _refused(f"{file}:Mine")
    assert [word for word in (str(file), *words) if word not in message] == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("no/such/file.py:Mine", ["'no/such/file.py' does not exist"]),
        (".:Mine", ["'.' cannot be imported"]),
        ("no_such_module:Mine", ["'no_such_module' cannot be imported", "ModuleNotFoundError"]),
        ("parity.no_such:Mine", ["'parity.no_such' cannot be imported"]),
        ("..relative:Mine", ["cannot be imported"]),
        ("parity.diagnose.defects.engine:Nothing", ["has no class 'Nothing'", "TapeEngine"]),
        ("parity.diagnose.defects.engine:Tensor", ["not a subclass"]),
        ("parity.engines:Engine", ["does not define"]),
        ("chainer", ["not known", "dezero, exact, torch"]),
        ("", ["not known"]),
        (":", ["not known"]),
        ("parity.diagnose.defects.engine:", ["not known"]),
        (":Small", ["not known"]),
        ("file.py", ["names no class", "file.py:Class"]),
    ],
)
def test_bad_name_is_an_error_of_one_line(spec: str, words: list[str]) -> None:
    message = _refused(spec)
    assert [word for word in words if word not in message] == []


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    assert "does not exist" in _refused(f"{tmp_path}/folder.py:Mine")


def test_a_file_that_failed_is_loaded_anew(tmp_path: Path) -> None:
    file = write_module(tmp_path, "mine.py", "1 / 0")
    assert "ZeroDivisionError" in _refused(f"{file}:Mine")
    write_module(tmp_path, "mine.py", MINE)
    assert load_engine(f"{file}:Mine").name == "mine"


def test_a_set_of_dtypes_is_enough_or_refused(tmp_path: Path) -> None:
    """What the loader accepts, the rest can use."""
    file = write_module(tmp_path, "mine.py", MINE + '        dtypes = {"float64"}\n')
    try:
        engine = load_engine(f"{file}:Mine")
    except EngineError:
        return
    assert engine.dtypes[0] == "float64"


@pytest.mark.parametrize("method", OPTIONAL)
def test_overriding_a_method_declares_the_ability(method: str) -> None:
    cls = type("Mine", (Engine,), {method: lambda self, *args: None})
    assert abilities(cls()) - abilities(Engine()) == {method}


def test_an_engine_without_constants_leaves_the_parameter_out() -> None:
    cls = type("Mine", (Engine,), {"leaf": lambda self, array: array})
    assert CONSTANTS in abilities(Engine())
    assert CONSTANTS not in abilities(cls())


def test_abilities_of_the_engines() -> None:
    assert abilities(TORCH) == abilities(Dezero()) == {*OPTIONAL, CONSTANTS, BITWISE}
    assert abilities(TapeEngine()) == {*OPTIONAL, CONSTANTS} - {"optimizer"}


class _Copies(TapeEngine):
    def grad(self, t):
        return None if t.grad is None else t.grad.copy()


class _ReadOnly(TapeEngine):
    def grad(self, t):
        view = t.grad[...]
        view.flags.writeable = False
        return view


class _Broken(TapeEngine):
    def backward(self, *args, **flags):
        raise ValueError


@pytest.mark.parametrize(
    ("engine", "owns"),
    [
        *((TapeEngine, True), (Dezero, True), (Torch, True)),
        *((_Copies, False), (_ReadOnly, False), (_Broken, False)),
    ],
)
def test_whether_the_gradient_is_the_engines_own_buffer(engine: type[Engine], owns: bool) -> None:
    assert owns_buffer(engine()) is owns


# The reference.


def _view(t):
    return TORCH.ops["reshape"](t, shape=(2,))


@pytest.mark.parametrize("given", [False, True])
def test_leaves_never_share_a_gradient_in_the_reference(given: bool) -> None:
    """Three passes of a sum of two views give 6; PyTorch by itself gives 10."""
    a, b = (TORCH.leaf(np.array([[1.0], [2.0]])) for _ in range(2))
    for _ in range(3):
        y = TORCH.ops["mul_scalar"](TORCH.ops["add"](_view(a), _view(b)), c=2)
        y = y if given else TORCH.ops["sum"](y, axis=None, keepdims=False)
        TORCH.backward(y, np.ones(2) if given else None)
    for t in (a, b):
        np.testing.assert_array_equal(TORCH.grad(t), np.full((2, 1), 6.0))
    assert not np.shares_memory(TORCH.grad(a), TORCH.grad(b))


def test_the_reference_does_not_keep_the_array_of_the_caller() -> None:
    """Three passes of one view with the same array give 3; PyTorch by itself gives 4."""
    a = TORCH.leaf(np.array([[1.0], [2.0]]))
    gradient = np.ones(2)
    for _ in range(3):
        TORCH.backward(_view(a), gradient)
    np.testing.assert_array_equal(TORCH.grad(a), np.full((2, 1), 3.0))
    np.testing.assert_array_equal(gradient, np.ones(2))
    gradient += 5
    np.testing.assert_array_equal(TORCH.grad(a), np.full((2, 1), 3.0))


def test_the_reference_copies_the_array_of_a_leaf() -> None:
    array = np.array([1.0, 2.0])
    t = TORCH.leaf(array)
    array += 1
    np.testing.assert_array_equal(TORCH.value(t), [1.0, 2.0])
