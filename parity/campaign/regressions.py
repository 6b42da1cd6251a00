"""Programs that once failed, kept with a project: JSON files that ``pytest parity/`` runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parity.language.program import Program, ProgramError
from parity.oracle.compare import KINDS

#: Where they are, from the root folder of the project, unless ``parity_regressions`` says it.
FOLDER = "parity-regressions"


class RegressionError(Exception):
    """A file is no regression test; the message is one line that says why."""


def regression_json(kind: str, program: Program, behaves_like: list[str]) -> dict[str, Any]:
    """What such a file holds; all but the program is for people."""
    return {
        "kind": kind,
        "text": program.text(),
        "behaves_like": behaves_like,
        "program": program.to_json(),
    }


def read_regression(file: Path) -> Program:
    """The program of a file. Raises RegressionError where it has none."""
    try:
        data = json.loads(file.read_text("utf-8"))
        if not isinstance(data, Mapping) or "program" not in data:
            raise RegressionError(f'{file}: it has no "program"; parity promote writes such files')
        if data.get("kind") not in KINDS:
            raise RegressionError(f"{file}: {data.get('kind')!r} is no kind of finding")
        return Program.from_json(data["program"])
    except OSError as error:
        raise RegressionError(f"{file} cannot be read: {error.strerror}") from None
    except ProgramError as error:
        raise RegressionError(f"{file}: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError) as error:
        raise RegressionError(f"{file} is no JSON: {' '.join(str(error).split())}") from None


def regression_files(root: Path, folder: str | None) -> list[Path]:
    """The files below ``root``; ``folder`` is what the project sets, None if nothing.

    A folder that is set and not there is among them, so that its test says so.
    """
    place = root / (folder or FOLDER)
    if folder and not place.is_dir():
        return [place]
    return sorted(place.glob("*.json"))
