"""A finding becomes a regression test of the project."""

from __future__ import annotations

import json
from pathlib import Path

from parity.campaign.errors import CampaignError, one_line
from parity.campaign.records import FindingData, checked_finding, defects, names
from parity.campaign.regressions import regression_json
from parity.campaign.storage import Folder
from parity.language.program import Program


def read_finding(file: Path) -> FindingData:
    """The finding of a file of a corpus. Raises CampaignError where it is none."""
    try:
        return checked_finding(json.loads(file.read_text("utf-8")))
    except OSError as error:
        raise CampaignError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CampaignError(f"{file} is no finding of a campaign: {one_line(error)}") from None


def promote(finding: FindingData, folder: Path) -> Path:
    """Write the program of a finding into a folder that ``pytest parity/`` runs; the new file.

    Raises CampaignError where it cannot be written. A finding of a probe has no program.
    """
    program = Program.from_json(finding["program"])
    data = regression_json(finding["kind"], program, list(defects(finding)))
    name = f"{finding['kind']}-{names(finding)[0][:12]}.json"
    Folder(folder, "folder").write(
        name, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()
    )
    return folder / name
