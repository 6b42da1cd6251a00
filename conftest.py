"""Settings of the project's own tests; what users need is in ``pytest_parity.py``."""

from __future__ import annotations

import os

from hypothesis import settings

# Fuzzing looks for what is new; the gate must give the same answer twice.
settings.register_profile("fuzz", deadline=None)
settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.load_profile("gate" if os.environ.get("CI") else "fuzz")
