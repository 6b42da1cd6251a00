"""Source code of an engine's modules, for reproducer scripts that do not import parity."""

from __future__ import annotations

import ast
import importlib
import sys
import sysconfig
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from parity.engines.base import Engine
from parity.engines.load import FILE_MODULE, EngineError
from parity.engines.runner import AnyEngine, EngineStopped, as_runner


def sources_of(*modules: str) -> tuple[dict[str, str], list[str], list[str]]:
    """Collect modules and what they import of parity and of the engine's own folders.

    Returns
    -------
    tuple
        The sources of modules to embed in a script by name, each after those that it imports;
        which of these are packages; and folders that the script puts on ``sys.path``.
    """
    found: dict[str, str] = {}
    packages: list[str] = []
    folders: list[str] = []
    seen: set[str] = set()
    for module in modules:
        _collect(module, found, packages, folders, seen)
    return found, packages, folders


def _collect(
    name: str, found: dict[str, str], packages: list[str], folders: list[str], seen: set[str]
) -> None:
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
        packages.append(name)
    root = str(file.parents[name.count(".") + package])
    if not own and root not in folders:
        folders.append(root)
    for imported in _imports(source, name if package else name.rpartition(".")[0]):
        # Modules of parity are embedded; the engine's own modules may import further ones.
        top = imported.partition(".")[0]
        if top in ("parity", name.partition(".")[0]) or _is_in_folders(imported, folders):
            parts = imported.split(".")
            for i in range(1, len(parts) + 1):
                if ".".join(parts[:i]) != name:
                    _collect(".".join(parts[:i]), found, packages, folders, seen)
    if own or name.startswith(FILE_MODULE):
        found[name] = source
    elif package:
        packages.remove(name)


def _is_in_folders(name: str, folders: list[str]) -> bool:
    """Return whether a loaded module is a file of one of the folders, and not installed.

    A virtual environment may be inside such a folder.
    """
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return False
    parents = Path(file).resolve().parents
    installed = {
        Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "purelib", "platlib")
    }
    return installed.isdisjoint(parents) and any(Path(f) in parents for f in folders)


def _imports(source: str, package: str) -> list[str]:
    """Return the loaded modules and submodules that the import statements of a source name.

    Imports under ``TYPE_CHECKING`` never run, so a script does not need them.
    """
    names: list[str] = []
    tree = _RuntimeCode().visit(ast.parse(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1]
            parts = (start if node.level else []) + ([node.module] if node.module else [])
            base = ".".join(parts)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if isinstance(sys.modules.get(name), ModuleType)]


class _RuntimeCode(ast.NodeTransformer):
    """Drops the bodies of ``if TYPE_CHECKING:``."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            return node.orelse
        return self.generic_visit(node)


@dataclass(frozen=True)
class Adapter:
    """The class of an engine as source code.

    Attributes
    ----------
    sources, packages, folders
        As ``sources_of`` returns them.
    module, cls
        The module and the name of the class.
    """

    sources: dict[str, str]
    packages: list[str]
    folders: list[str]
    module: str
    cls: str


def adapter_of(engine: AnyEngine, more: tuple[str, ...] = ()) -> Adapter:
    """Return the source code that a script needs to create the engine.

    Parameters
    ----------
    engine
        The engine under test.
    more
        Names of further modules of parity to embed.

    Raises
    ------
    EngineError
        If the worker process of the engine ended.
    """
    runner = as_runner(engine)
    try:
        adapter = Adapter(**runner.call("parity.engines.sources:adapter_data"))
    except EngineStopped as end:
        raise EngineError(f"the source of engine {runner.name!r} cannot be read: {end}") from None
    sources, packages, _ = sources_of(*more)
    return replace(
        adapter,
        sources={**adapter.sources, **sources},
        packages=[*dict.fromkeys([*adapter.packages, *packages])],
    )


def adapter_data(engine: Engine) -> dict[str, Any]:
    """Return the fields of ``Adapter`` as JSON-like data; called in the engine's process."""
    cls = type(engine)
    scope = vars(sys.modules[cls.__module__])
    name = next((n for n, v in scope.items() if v is cls), cls.__name__)
    return asdict(Adapter(*sources_of(cls.__module__), cls.__module__, name))
