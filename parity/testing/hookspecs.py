"""Hooks that a conftest.py may define."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    pass


class Hooks:
    """What a ``conftest.py`` may define."""

    @pytest.hookspec(firstresult=True)
    def pytest_parity_engine(self, config: pytest.Config) -> str | None:
        """The engine under test where ``--engine`` names none; it wins over the ini file."""
