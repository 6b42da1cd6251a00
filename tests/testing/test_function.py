"""``parity.check_function`` of the pytest fixture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers.programs import write_module

TESTS = """
    import torch
    from tests.helpers.wrong_functions import NoChain, Square

    def test_right(parity):
        parity.check_function(Square.apply, (3,))

    def test_wrong(parity):
        parity.check_function(NoChain.apply, (3,), order=1)
"""


def test_the_fixture_fails_with_the_report_and_writes_the_script(tmp_path: Path) -> None:
    write_module(tmp_path, "test_own.py", TESTS)
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_own.py"]
    own = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    (tmp_path / "pytest.ini").touch()
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**own, "PYTHONPATH": root}
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "the gradient of input 0 is wrong where the upstream gradient is not 1" in done.stdout
    (script,) = (tmp_path / "parity-findings").iterdir()
    assert f"  script: {Path('parity-findings') / script.name}" in done.stdout
