"""Folders that commands and the pytest plugin use where none is named."""

from __future__ import annotations

from pathlib import Path

#: Scripts of findings.
FINDINGS = Path("parity-findings")
#: The corpus of a campaign.
CORPUS = Path("parity-corpus")
#: Programs that once failed, from the root folder of a project.
REGRESSIONS = Path("parity-regressions")
#: Where Hypothesis keeps programs that failed.
EXAMPLES = Path(".hypothesis") / "parity"
