"""Regression tests of a project: JSON files of programs that once failed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from parity._util.decode import decode, one_of
from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.files import parse_json, read_bytes
from parity.campaign.errors import CampaignError
from parity.campaign.paths import REGRESSIONS
from parity.campaign.records import FindingData, checked_finding, defects, names
from parity.campaign.storage import Folder
from parity.language.json_format import program_from_json, program_to_json
from parity.language.program import Program
from parity.oracle.finding import KINDS

_HOW = "parity promote writes such files"


class RegressionError(UsageError):
    """A file is no regression test; the message is one line that says why."""


@dataclass(frozen=True)
class _Regression:
    """What is read of the file of a regression test."""

    program: Any
    kind: Annotated[str, one_of(KINDS)]


def read_regression(file: Path) -> Program:
    """Read the program of a file. Raises RegressionError if it has none."""
    try:
        return program_from_json(decode(_Regression, parse_json(read_bytes(file))).program)
    except OSError as error:
        raise RegressionError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RegressionError(f"{file}: {one_line(error)}; {_HOW}") from None


def regression_files(root: Path, folder: str | None) -> list[Path]:
    """The files below ``root``; ``folder``: the setting of the project, None if it has none.

    A folder that is set and missing is among them, so that its test fails.
    """
    path = root / (folder or REGRESSIONS)
    if folder and not path.is_dir():
        return [path]
    return sorted(path.glob("*.json"))


def read_finding(file: Path) -> FindingData:
    """Read a finding of a corpus. Raises CampaignError if the file is none."""
    try:
        return checked_finding(parse_json(read_bytes(file)))
    except OSError as error:
        raise CampaignError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise CampaignError(f"{file} is no finding of a campaign: {one_line(error)}") from None


def promote(finding: FindingData, folder: Path) -> Path:
    """Write the program of a finding, which is of no probe, as a regression test.

    Returns the new file. Raises CampaignError if it cannot be written.
    """
    program = program_from_json(finding["program"])
    data = {
        # All fields but the program are for readers.
        "kind": finding["kind"],
        "text": str(program),
        "behaves_like": list(defects(finding)),
        "program": program_to_json(program),
    }
    name = f"{finding['kind']}-{names(finding)[0][:12]}.json"
    text = json.dumps(data, indent=1, allow_nan=False) + "\n"
    Folder(folder, "folder").write(name, text.encode())
    return folder / name
