"""Programs that once failed (``parity promote``) pass, and go on passing."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.campaign.regressions import regression_files
from parity.testing.suite import Suite


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each file of the project; one that passes where there is none."""
    folder = metafunc.config.getini("parity_regressions")
    files = regression_files(metafunc.config.rootpath, folder)
    metafunc.parametrize("file", files or [None], ids=lambda file: file.stem if file else "none")


def test_regression(parity: Suite, file: Path | None) -> None:
    """The engine and the reference agree on the program of a file."""
    if file is not None:
        parity.regression(file)
