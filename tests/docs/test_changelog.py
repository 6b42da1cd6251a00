"""CHANGELOG.md: what it says of modules is true."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "CHANGELOG.md").read_text()


def test_there_is_an_entry_for_what_is_not_released() -> None:
    versions = re.findall(r"^## \[(.+?)\]", TEXT, re.MULTILINE)
    assert versions[0] == "Unreleased"


def test_every_module_of_the_table_is_there() -> None:
    rows = re.findall(r"^\| `(parity[\w.]+)` \| (.+) \|$", TEXT, re.MULTILINE)
    new = [name for _, cell in rows for name in re.findall(r"`(parity[\w.]+)`", cell)]
    assert len(new) > 10
    modules = [name for name in new if name != "parity.check"]
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
