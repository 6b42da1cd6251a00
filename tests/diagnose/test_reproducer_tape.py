"""Scripts of findings in statements of the tape show the difference without parity."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from parity.diagnose.defects import DEFECTS
from parity.diagnose.reproducer import script
from parity.engines.load import load_engine
from tests.helpers.programs import check

#: Defects whose smallest programs show each statement, and each sort of observation.
NAMES = (
    *("hook-once-a-use", "hooks-reversed", "hook-result-ignored", "removed-hook-called"),
    *("retained-before-hooks", "set-grad-kept", "root-gradients-swapped", "inputs-ignored"),
    *("unused-gives-zeros", "grad-never-recorded", "grad-ends-at-inputs"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_shows_the_difference(name: str, tmp_path: Path) -> None:
    cls = DEFECTS[name]
    engine = load_engine(f"{cls.__module__}:{cls.__name__}")
    finding = check(cls.smallest, engine)
    assert finding is not None
    file = tmp_path / "finding.py"
    file.write_text(script(cls.smallest, finding, engine, file.name))
    done = subprocess.run([sys.executable, "-I", file], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert "they differ" in done.stdout
