"""The script of a finding: it runs without parity, and says when an engine is right."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from parity.campaign.search import search
from parity.diagnose.reproducer import script
from parity.engines.base import Engine
from parity.engines.load import load_engine
from parity.language import program as pr
from parity.oracle.finding import Finding
from tests.helpers.programs import TORCH, apply, check, leaf, program, write_module
from tests.helpers.reproducer_cases import ADAPTER, BACKWARD, CASES, OPS

DRIVER = """
import importlib.abc, io, json, os, runpy, sys, traceback
import numpy, torch

torch.set_num_threads(1)


class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "parity":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Refuse())
results = {}
for script in sys.argv[1:]:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        out = io.StringIO()
        sys.stdout = out
        status = "no status"
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            status = end.code
        except BaseException:
            status = traceback.format_exc()
        os.write(write, json.dumps([status, out.getvalue()]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        results[script] = json.loads(pipe.read())
    os.waitpid(child, 0)
print(json.dumps(results))
"""


def _run(*scripts: Path) -> dict[Path, tuple[int | str, str]]:
    """Exit status (or a traceback) and output of each script."""
    command = [sys.executable, "-c", DRIVER, *map(str, scripts)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=scripts[0].parent
    )
    return {Path(name): (status, out) for name, (status, out) in json.loads(done.stdout).items()}


@dataclass
class Written:
    """The script of a case, and how it ended while the engine was wrong and then right."""

    finding: Finding
    file: Path
    wrong: tuple[int | str, str] = ("", "")
    right: tuple[int | str, str] = ("", "")


def _write(folder: Path, engine: Engine, case: pr.Program, name: str) -> Written:
    finding = check(case, engine)
    assert finding is not None
    file = folder / f"{name}.py"
    try:
        file.write_text(script(case, finding, engine, file.name))
    except Exception as error:  # then the test of this case fails, not all
        file.write_text(f"raise AssertionError({f'not written: {error!r}'!r})")
    return Written(finding, file)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """The scripts of all cases, run with wrong engines, then with right ones."""
    folder = tmp_path_factory.mktemp("scripts")
    path = list(sys.path)
    scripts: dict[str, Written] = {}
    switches = []
    for name, (base, method, case, _) in CASES.items():
        switch = f"switch_{name.replace('-', '_')}"
        switches.append(write_module(folder / name, f"{switch}.py", "WRONG = True\n"))
        text = ADAPTER.format(switch=switch, base=base, method=method[:-8].replace("\n    ", "\n"))
        engine = load_engine(f"{write_module(folder / name, 'adapter.py', text)}:Mine")
        scripts[name] = _write(folder, engine, case, f"finding-{name}")
    sys.path[:] = path
    files = [one.file for one in scripts.values()]
    for one, result in zip(scripts.values(), _run(*files).values(), strict=True):
        one.wrong = result
    for file in switches:
        file.write_text("WRONG = not True\n")
    for one, result in zip(scripts.values(), _run(*files).values(), strict=True):
        one.right = result
    return scripts


@pytest.mark.parametrize("name", CASES)
def test_a_script_ends_with_one_while_the_engine_is_wrong(
    written: dict[str, Written], name: str
) -> None:
    one = written[name]
    assert one.finding.kind == CASES[name][3]
    status, output = one.wrong
    assert status == 1, status
    lines = output.splitlines()
    assert lines[-1] == "they differ"
    assert any(line.startswith("mine: ") for line in lines)
    assert any(line.startswith(("torch: ", "torch, with the quirks of ")) for line in lines)


@pytest.mark.parametrize("name", CASES)
def test_a_script_ends_with_zero_once_the_engine_is_right(
    written: dict[str, Written], name: str
) -> None:
    status, output = written[name].right
    assert status == 0, f"{status}\n{output}"
    assert output.splitlines()[-1] == "they agree"


@pytest.mark.parametrize("name", CASES)
def test_a_script_shows_program_kind_and_how_to_run_it(
    written: dict[str, Written], name: str
) -> None:
    one = written[name]
    description = ast.get_docstring(ast.parse(one.file.read_text()))
    assert description is not None
    assert description.startswith(
        f"{one.finding.kind}: {one.finding.kind.description} (mine 1)"
    ) or (CASES[name][0] == "Dezero")
    assert str(CASES[name][2]) in description
    assert f"python {one.file.name}" in description


# Where an adapter can lie.

OVERWRITES = """
    def add(self, grads, t, g):
        grads[t] = g
"""
SMALL = "from parity.diagnose.defects.engine import TapeEngine\n\n\n"


def _class(base: str = "TapeEngine", name: str = "Mine", method: str = OVERWRITES) -> str:
    return f'class {name}({base}):\n    name = "mine"\n{method}'


#: Files of an engine, the module to put on the path or the file to load, and the class.
PLACES: dict[str, tuple[dict[str, str], str]] = {
    "module": ({"at_module.py": SMALL + _class()}, "at_module:Mine"),
    "module of a package": (
        {"at_package/__init__.py": "", "at_package/adapter.py": SMALL + _class()},
        "at_package.adapter:Mine",
    ),
    "package itself": ({"at_init/__init__.py": SMALL + _class()}, "at_init:Mine"),
    "class of another module of the package": (
        {
            "at_base/__init__.py": "",
            "at_base/base.py": SMALL + _class(name="Base"),
            "at_base/adapter.py": "from at_base.base import Base\n\n\n" + _class("Base", method=""),
        },
        "at_base.adapter:Mine",
    ),
    "class by a relative import": (
        {
            "at_relative/__init__.py": "",
            "at_relative/base.py": SMALL + _class(name="Base"),
            "at_relative/adapter.py": "from .base import Base\n\n\n" + _class("Base", method=""),
        },
        "at_relative.adapter:Mine",
    ),
    "class of a module next to the file": (
        {
            "at_beside_base.py": SMALL + _class(name="Base"),
            "adapter.py": "from at_beside_base import Base\n\n\n" + _class("Base", method=""),
        },
        "adapter.py:Mine",
    ),
    "class imported into the file": (
        {
            "at_imported.py": SMALL + _class(),
            "adapter.py": "from at_imported import Mine\n",
        },
        "adapter.py:Mine",
    ),
    "engine by its full name": (
        {
            "adapter.py": "import parity.diagnose.defects.engine\n\n\n"
            + _class("parity.diagnose.defects.engine.TapeEngine")
        },
        "adapter.py:Mine",
    ),
    "module by an alias": (
        {
            "adapter.py": "import parity.diagnose.defects.engine as base\n\n\n"
            + _class("base.TapeEngine")
        },
        "adapter.py:Mine",
    ),
    "module from its package": (
        {
            "adapter.py": "from parity.diagnose.defects import engine\n\n\n"
            + _class("engine.TapeEngine")
        },
        "adapter.py:Mine",
    ),
    "import under a condition": (
        {
            "adapter.py": "try:\n    from parity.diagnose.defects.engine import TapeEngine\n"
            "except ImportError:\n    raise\n\n\n" + _class()
        },
        "adapter.py:Mine",
    ),
    "class made by a function": (
        {
            "adapter.py": SMALL
            + "def make():\n"
            + "\n".join("    " + line for line in _class().splitlines())
            + "\n    return Mine\n\n\nMine = make()\n"
        },
        "adapter.py:Mine",
    ),
    "name with backslashes and quotes": (
        {"adapter.py": SMALL + _class().replace('"mine"', '\'C:\\\\new\\\\x """ {mine}\'')},
        "adapter.py:Mine",
    ),
    "text with quotes of both kinds": (
        {"adapter.py": SMALL + _class() + "\nTEXT = '''a''' + \"\"\"b\\n\"\"\" + '{}'\n"},
        "adapter.py:Mine",
    ),
    "letters beyond ascii": ({"adapter.py": SMALL + _class() + "\nΩ = 'é'\n"}, "adapter.py:Mine"),
}


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """The scripts of one wrong engine in many places."""
    folder = tmp_path_factory.mktemp("places")
    path = list(sys.path)
    scripts: dict[str, Written] = {}
    for number, (name, (files, spec)) in enumerate(PLACES.items()):
        place = folder / str(number)
        for file, text in files.items():
            write_module(place, file, text)
        sys.path.insert(0, str(place))
        engine = load_engine(f"{place}/{spec}" if ".py:" in spec else spec)
        scripts[name] = _write(folder, engine, BACKWARD, f"place-{number}")
    sys.path[:] = path
    for one, result in zip(
        scripts.values(), _run(*(s.file for s in scripts.values())).values(), strict=True
    ):
        one.wrong = result
    return scripts


@pytest.mark.parametrize("name", PLACES)
def test_a_script_runs_wherever_the_adapter_lies(placed: dict[str, Written], name: str) -> None:
    status, output = placed[name].wrong
    assert status == 1, status
    assert output.splitlines()[-1] == "they differ"


@pytest.fixture(scope="module")
def defects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int | str, str]]:
    """Kind, status and output of the scripts of the three defects, written by a search."""
    folder = tmp_path_factory.mktemp("defects")
    found = {}
    for name in ("Overwrite", "InplaceAccumulation", "CreationOrderIgnored"):
        engine = load_engine(f"parity.diagnose.defects.traversal:{name}")
        result = search(engine, TORCH, 80, ops=OPS, folder=folder / name)
        found[name] = next(one for one in result.findings if one.program)
    results = _run(*(Path(one.script) for one in found.values()))
    return {name: (one.finding.kind, *results[Path(one.script)]) for name, one in found.items()}


@pytest.mark.parametrize("name", ["Overwrite", "InplaceAccumulation", "CreationOrderIgnored"])
def test_scripts_of_the_defects_show_them(
    defects: dict[str, tuple[str, int | str, str]], name: str
) -> None:
    kind, status, output = defects[name]
    assert kind == "gradient"
    assert status == 1, status
    assert output.startswith("the gradient of x0:\n")


def test_a_script_by_itself_in_a_fresh_interpreter(tmp_path: Path) -> None:
    """Without the driver: the real exit status, from another folder."""
    engine = load_engine("parity.diagnose.defects.traversal:Overwrite")
    one = _write(tmp_path, engine, BACKWARD, "overwrite")
    done = subprocess.run(
        [sys.executable, "-I", str(one.file)], capture_output=True, text=True, cwd="/"
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "the gradient of x0:",
        "overwrite: 3.0",
        "torch: 6.0",
        "they differ",
    ]


def test_what_is_installed_in_the_folder_of_an_adapter_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment lies in many projects, and its modules import each other in circles."""
    installed = tmp_path / ".venv" / "lib"
    write_module(
        installed, "parity_test_installed.py", "import parity_test_installed\nNAME = 'x'\n"
    )
    (installed / "parity_test_latin.py").write_bytes(b"# coding: latin-1\nNAME = '\xf0'\n")
    paths = {"purelib": str(installed), "platlib": str(installed), "stdlib": str(tmp_path / "std")}
    monkeypatch.setattr("sysconfig.get_path", paths.__getitem__)
    monkeypatch.syspath_prepend(str(installed))
    text = "import parity_test_installed, parity_test_latin\n" + SMALL + _class()
    file = write_module(tmp_path, "adapter.py", text)
    engine = load_engine(f"{file}:Mine")
    finding = check(BACKWARD, engine)
    assert finding is not None
    assert "import parity_test_installed" in script(BACKWARD, finding, engine, "finding.py")


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("value", "return super().value(t) if t.node is None else object()"),
        ("value", "return super().value(t) if t.node is None else t.data.data.missing"),
        ("grad", "return t.grad if t.grad is None else t.grad.missing"),
    ],
)
def test_a_script_raises_where_reading_an_array_does(
    tmp_path: Path, method: str, body: str
) -> None:
    """Else it would say that they agree, as no call of the program itself raises."""
    text = f"""
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            def {method}(self, t):
                {body}
    """
    engine = load_engine(f"{write_module(tmp_path, 'reads.py', text)}:Mine")
    case = program([leaf(3.0)], apply("exp", 0), pr.Backward(1))
    finding = check(case, engine)
    assert finding is not None
    assert finding.what == "exception"
    file = tmp_path / "script.py"
    file.write_text(script(case, finding, engine, file.name))
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "they differ" in done.stdout
