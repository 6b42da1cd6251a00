"""Load an engine by its built-in name, its module or its file."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import itertools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from parity._util.errors import UsageError
from parity._util.escape import described
from parity._util.names import did_you_mean, near
from parity.engines.base import REQUIRED, Engine, abilities
from parity.engines.builtin import BUILT_IN, requirements
from parity.engines.guard import guarded
from parity.engines.quirks.table import QUIRKS, contradicting
from parity.engines.unfilled import unfilled
from parity.language.plain_rows import register_rows
from parity.language.restrictions import mistakes
from parity.language.table import OPS

#: Prefix of the names of modules that were loaded from a file.
FILE_MODULE = "parity_engine_"


class EngineError(UsageError):
    """An engine cannot be used; the message is one line with the reason and the remedy."""


def load_engine(spec: str) -> Engine:
    """Load and create an engine.

    ``spec`` is a built-in name, ``package.module:Class`` or ``path/to/file.py:Class``. Raises
    EngineError if it does not exist, cannot be imported or does not implement ``Engine``.

    Examples
    --------
    >>> load_engine("torch").name
    'torch'
    """
    with guarded() as guard:
        try:
            engine = _load(spec)
        except EngineError:
            guard.check()
            raise
        except BaseException as error:
            guard.check()
            raise EngineError(f"engine {spec!r} cannot be used: {described(error)}") from error
    if guard.ended:
        raise EngineError(f"engine {spec!r} cannot be loaded: {guard.ended}")
    return engine


def _load(spec: str) -> Engine:
    source, colon, class_name = BUILT_IN.get(spec, spec).rpartition(":")
    if not colon and spec.endswith(".py"):
        raise EngineError(f"engine {spec!r} names no class: use {spec}:Class")
    if not colon or not source or not class_name:
        use = f"{', '.join(BUILT_IN)}, package.module:Class or path/to/file.py:Class"
        hint = did_you_mean(spec, BUILT_IN)
        raise EngineError(f"engine {spec!r} is not known: {hint}use {use}")
    packages, remedy = requirements(spec)
    missing = [name for name in packages if not _installed(name)]
    if missing:
        needs = f"{' and '.join(missing)}, not installed here: pip install {remedy}"
        raise EngineError(f"engine {spec!r} needs {needs}")
    module = _load_file(source, class_name) if source.endswith(".py") else _load_module(source)
    cls = getattr(module, class_name, None)
    if cls is None:
        values = {name: v for name, v in vars(module).items() if isinstance(v, type)}
        classes = [n for n, v in values.items() if issubclass(v, Engine) and v is not Engine]
        hint = did_you_mean(class_name, classes)
        found = f"; {hint}it has {', '.join(classes)}" if classes else ""
        raise EngineError(f"engine {spec!r}: {source} has no class {class_name!r}{found}")
    return _checked(cls, spec)


def _load_file(path: str, class_name: str) -> ModuleType:
    file = Path(path)
    if not file.is_file():
        raise EngineError(f"engine file {path!r} does not exist")
    left = unfilled(file.read_text("utf-8", errors="replace"), class_name)
    if left is not None:
        raise EngineError(f"line {left[0]} of {file.name}: {left[1]} is not filled in")
    # One module name per path, so that two files called engine.py are two modules.
    name = f"{FILE_MODULE}{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    module_spec: Any = importlib.util.spec_from_file_location(name, file)
    module: ModuleType = importlib.util.module_from_spec(module_spec)
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(_before_packages(), folder)
    sys.modules[name] = module
    try:
        module_spec.loader.exec_module(module)
    except BaseException as error:
        sys.modules.pop(name, None)
        itself = isinstance(error, ImportError) and (error.name or "").split(".")[0] == file.stem
        remedy = f"; it imports itself: rename {file.name}" if itself else ""
        reason = f"{described(error)}{remedy}"
        raise EngineError(f"engine file {path!r} cannot be loaded: {reason}") from error
    return module


def _before_packages() -> int:
    """Return the index in ``sys.path`` at which the folder of an adapter is inserted.

    An adapter imports the engine in its own folder, also where a package of that name is
    installed, as ``dezero`` always is. Modules of the standard library keep precedence.
    """
    installed = ("site-packages", "dist-packages")
    indices = (i for i, folder in enumerate(sys.path) if folder.endswith(installed))
    return next(indices, len(sys.path))


def _installed(package: str) -> bool:
    with contextlib.suppress(ImportError, ValueError):  # None or a substitute in sys.modules
        return importlib.util.find_spec(package) is not None
    return False


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except BaseException as error:
        raise EngineError(f"module {name!r} cannot be imported: {described(error)}") from error


def _checked(cls: Any, spec: str) -> Engine:
    """Create an instance of a class, and check that it implements ``Engine``."""
    start = f"engine {spec!r}"
    if not (isinstance(cls, type) and issubclass(cls, Engine)):
        raise EngineError(f"{start} is not a subclass of parity.engines.Engine")
    missing = [name for name in REQUIRED if getattr(cls, name) is getattr(Engine, name)]
    if missing:
        names = ", ".join(missing)
        raise EngineError(f"{start} does not define {names}: see parity.engines.Engine")
    try:
        engine = cls()
    except BaseException as error:
        raise EngineError(f"{start} cannot be created: {described(error)}") from error
    try:
        register_rows(engine.extra_ops)
    except ValueError as error:
        raise EngineError(f"{start}: {error}") from None
    for mistake in itertools.chain(_wrong_settings(engine), _wrong_quirks(engine)):
        raise EngineError(f"{start}{mistake}")
    return engine


def _wrong_settings(engine: Engine) -> Iterator[str]:
    """Yield what is wrong with the attributes of an engine, but for the quirks."""
    if not (isinstance(engine.name, str) and engine.name):
        yield ' has no name: set name = "..." in the class'
    if not isinstance(engine.ops, Mapping) or not engine.ops:
        yield ' has no operations: set ops = {"add": ...} in the class'
    unknown = sorted(str(name) for name in engine.ops if name not in OPS)
    if unknown:
        close = [other for name in unknown for other in near(name, OPS, 2)]
        hint = f"did you mean {' or '.join(dict.fromkeys(close))}? " if close else ""
        yield (
            f" has unknown operations in ops: {', '.join(unknown)}; {hint}"
            "docs/operations.md lists those that are known, and `extra_ops` adds others"
        )
    unfilled = [f"`{name}`" for name, f in engine.ops.items() if f is Ellipsis]
    if unfilled:
        yield f": operation {', '.join(unfilled)} is not filled in"
    not_callable = sorted(name for name, f in engine.ops.items() if not callable(f))
    if not_callable:
        yield f": not callable in ops: {', '.join(not_callable)}"
    dtypes, known = engine.dtypes, ("float32", "float64")
    if not isinstance(dtypes, (tuple, list)) or not dtypes or any(d not in known for d in dtypes):
        yield f": dtypes {dtypes!r} is not a tuple of float32, float64 or both"
    limit = engine.max_ndim
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        yield f": max_ndim {limit!r} is neither None nor an int of 0 or more"
    for mistake in mistakes(engine.min_ndim, limit, engine.attribute_limits):
        yield f": {mistake}".rstrip("; ")
    if not isinstance(engine.version, str):
        yield f": version {engine.version!r} is not a string"


def _wrong_quirks(engine: Engine) -> Iterator[str]:
    quirks = engine.quirks
    if isinstance(quirks, str) or not all(isinstance(q, str) for q in quirks):
        yield f": quirks {quirks!r} is not a set of strings"
    others = sorted(set(quirks) - QUIRKS.keys())
    if others:
        hint = did_you_mean(others[0], QUIRKS)
        yield f" has unknown quirks: {', '.join(others)}; {hint}known are {', '.join(QUIRKS)}"
    exclusive = contradicting(frozenset(quirks))
    if exclusive:
        yield f": the quirks {' and '.join(exclusive)} exclude each other: keep one"
    for name in sorted(quirks):
        for ability in sorted(QUIRKS[name].without & abilities(engine)):
            yield f": the quirk {name} and the method {ability} exclude each other: keep one"
