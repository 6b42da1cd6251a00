"""Another interpreter for an engine: ``--python PATH``.

Its environment has the engine, and maybe another version of a framework than that of parity. So
it gets nothing of the environment of parity: a folder with a link to the package ``parity`` is all
that is added to its path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from parity._util.escape import one_line
from parity.engines.load import EngineError

#: The oldest Python that can run the worker, and seconds that the interpreter has to say its own.
_OLDEST, _SECONDS = (3, 11), 60.0
_QUESTION = """
import json, sys
from importlib.util import find_spec
print(json.dumps({"version": list(sys.version_info[:3]), "numpy": find_spec("numpy") is not None}))
"""


def check_interpreter(python: str) -> None:
    """Raise EngineError unless ``python`` is an interpreter that can run a worker."""
    start = f"--python {one_line(python)}"
    if shutil.which(python) is None:
        what = "is no file" if not Path(python).exists() else "is not executable"
        raise EngineError(f"{start} {what}")
    try:
        done = subprocess.run(
            [python, "-c", _QUESTION],
            capture_output=True,
            timeout=_SECONDS,
            env=environment(),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        facts: Any = json.loads(done.stdout)
        version, has_numpy = tuple(map(int, facts["version"])), bool(facts["numpy"])
    except subprocess.TimeoutExpired:
        raise EngineError(f"{start} does not answer within {_SECONDS:g} s") from None
    except (OSError, ValueError, TypeError, KeyError):
        raise EngineError(f"{start} is no Python interpreter") from None
    if version < _OLDEST:
        found, oldest = (".".join(map(str, v)) for v in (version, _OLDEST))
        raise EngineError(f"{start} is Python {found}, and the worker needs {oldest}")
    if not has_numpy:
        raise EngineError(f"{start} has no numpy, which the worker needs: pip install numpy there")


def environment() -> dict[str, str]:
    """Return the variables of this process without those that add to the path of Python."""
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in os.environ.items() if name not in left_out}


def folder_of_parity() -> tempfile.TemporaryDirectory[str]:
    """Return a folder with the package ``parity`` and nothing else."""
    folder = tempfile.TemporaryDirectory(prefix="parity-path-")
    package = Path(__file__).resolve().parents[2]
    try:
        (Path(folder.name) / "parity").symlink_to(package, target_is_directory=True)
    except OSError:  # where links are not allowed
        shutil.copytree(package, Path(folder.name) / "parity")
    return folder
