"""Hook specifications of the plugin."""

from __future__ import annotations

import pytest


class Hooks:
    """Hooks that a ``conftest.py`` may define."""

    @pytest.hookspec(firstresult=True)
    def pytest_parity_engine(self, config: pytest.Config) -> str | None:
        """Return the engine to test without ``--engine``, in preference to the ini file."""
