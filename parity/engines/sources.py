"""Source code of an engine's modules, for reproducer scripts that do not import parity."""

from __future__ import annotations

import ast
import importlib
import itertools
import sys
import sysconfig
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from parity._util.decode import FormatError, decode
from parity.engines.base import Engine
from parity.engines.load import FILE_MODULE, EngineError
from parity.engines.runner import AnyEngine, EngineStopped, as_runner


@dataclass
class Adapter:
    """The class of an engine as source code."""

    module: str = ""
    cls: str = ""
    #: The sources of modules to embed in a script by name, each after those that it imports.
    sources: dict[str, str] = field(default_factory=dict)
    #: Which of these are packages.
    packages: list[str] = field(default_factory=list)
    #: Folders that the script puts on ``sys.path``.
    folders: list[str] = field(default_factory=list)


def adapter_of(engine: AnyEngine, more: tuple[str, ...] = ()) -> Adapter:
    """Return the source code that creates the engine, with ``more`` modules of parity.

    Raises EngineError if the worker process of the engine ended.
    """
    runner = as_runner(engine)
    try:
        adapter = decode(Adapter, runner.call("parity.engines.sources:adapter_data"))
    except (EngineStopped, FormatError) as end:
        raise EngineError(f"the source of engine {runner.name!r} cannot be read: {end}") from None
    others = Adapter()
    seen: set[str] = set()
    for module in more:
        _collect(module, others, seen)
    adapter.sources |= others.sources
    adapter.packages = [*dict.fromkeys([*adapter.packages, *others.packages])]
    return adapter


def adapter_data(engine: Engine) -> dict[str, Any]:
    """Return the fields of ``Adapter`` as JSON-like data; called in the engine's process."""
    cls = type(engine)
    scope = vars(sys.modules[cls.__module__])
    name = next((n for n, v in scope.items() if v is cls), cls.__name__)
    adapter = Adapter(cls.__module__, name)
    _collect(cls.__module__, adapter, set())
    return asdict(adapter)


def _collect(name: str, adapter: Adapter, seen: set[str]) -> None:
    """Add a module after its imports: its source, or the folder from which it is imported."""
    if name in seen:
        return
    seen.add(name)
    module = sys.modules.get(name) or importlib.import_module(name)
    file = Path(module.__file__ or ".").resolve()
    source = file.read_text("utf-8") if file.suffix == ".py" and file.is_file() else ""
    package = hasattr(module, "__path__")
    own = name.partition(".")[0] == "parity"
    if package:
        adapter.packages.append(name)
    root = str(file.parents[name.count(".") + package])
    if not own and root not in adapter.folders:
        adapter.folders.append(root)
    for imported in _imports(source, name if package else name.rpartition(".")[0]):
        # Modules of parity are embedded; the engine's own modules may import further ones.
        tops = ("parity", name.partition(".")[0])
        if imported.partition(".")[0] in tops or _is_in_folders(imported, adapter.folders):
            for parent in itertools.accumulate(imported.split("."), "{}.{}".format):
                if parent != name:
                    _collect(parent, adapter, seen)
    if own or name.startswith(FILE_MODULE):
        adapter.sources[name] = source
    elif package:
        adapter.packages.remove(name)


def _is_in_folders(name: str, folders: list[str]) -> bool:
    """Return whether a loaded module is a file of one of the folders, and not installed.

    A virtual environment may be inside such a folder.
    """
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return False
    parents = Path(file).resolve().parents
    paths = map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))
    installed = {Path(path).resolve() for path in paths}
    return installed.isdisjoint(parents) and any(Path(f) in parents for f in folders)


def _imports(source: str, package: str) -> list[str]:
    """Return the loaded modules and submodules that the import statements of a source name.

    Imports under ``TYPE_CHECKING`` never run, so a script does not need them.
    """
    names: list[str] = []
    for node in ast.walk(_RuntimeCode().visit(ast.parse(source))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(start if node.level else ()), *filter(None, [node.module])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if isinstance(sys.modules.get(name), ModuleType)]


class _RuntimeCode(ast.NodeTransformer):
    """Drops the bodies of ``if TYPE_CHECKING:``."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            return node.orelse
        return self.generic_visit(node)
