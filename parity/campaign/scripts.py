"""Where the scripts of findings lie: a folder for each engine, whose next run replaces its own.

A list in the folder says which engine each script is of. Scripts that are not in it, or are of
another engine, stay as they are.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from parity._util.escape import file_name
from parity.campaign.finish import write_scripts
from parity.campaign.result import Report
from parity.engines.base import Engine
from parity.engines.builtin import BUILT_IN
from parity.engines.runner import Runner

#: The list: the engine and the name of a script, in lines.
LIST = "scripts.txt"
#: Names that scripts have; nothing else is ever removed.
_NAME = re.compile(r"[a-z]+(-[a-z]+)*-[0-9]+\.py")


def own_folder(base: Path, engine: Runner) -> Path:
    """Return the folder of an engine below ``base``, which no other engine of that name has.

    Examples
    --------
    >>> from parity.engines.open import open_runner
    >>> own_folder(Path("parity-findings"), open_runner("dezero")).as_posix()
    'parity-findings/dezero'
    """
    name, own = file_name(engine.name), _identity(engine)
    for number in itertools.count(1):
        folder = base / (name if number == 1 else f"{name}-{number}")
        if {identity for identity, _ in _listed(folder)} == {own} or not folder.exists():
            return folder
    raise AssertionError


def replace_scripts(reported: Sequence[Report], engine: Runner, folder: Path) -> None:
    """Write the scripts of a run in place of those of the last run of the same engine there."""
    own, before = _identity(engine), _listed(folder)
    for identity, name in before:
        if identity == own:
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
    others = [(identity, name) for identity, name in before if identity != own]
    taken = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    write_scripts(reported, engine, folder, taken)
    written = [(own, Path(report.script).name) for report in reported if report.script]
    if lines := [f"{name} {identity}\n" for identity, name in (*others, *written)]:
        (folder / LIST).write_text("".join(lines), "utf-8")
    elif before:
        (folder / LIST).unlink()
        with contextlib.suppress(OSError):  # other files are there
            folder.rmdir()


def _identity(engine: Runner) -> str:
    """Return what tells an engine from others of its name: its class, as on the command line."""
    local: Engine | None = engine.local_engine
    spec: str = getattr(engine, "spec", "")
    if local is not None:
        spec = f"{type(local).__module__}:{type(local).__qualname__}"
    return "".join(BUILT_IN.get(spec, spec).splitlines())


def _listed(folder: Path) -> list[tuple[str, str]]:
    """Return the engines and names in the list of a folder; none if there is no list."""
    try:
        lines = (folder / LIST).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    found = (line.partition(" ") for line in lines)
    return [(identity, name) for name, _, identity in found if _NAME.fullmatch(name)]
