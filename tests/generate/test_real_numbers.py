"""What generated programs compute are real numbers: of nan engines make what they like."""

from __future__ import annotations

import numpy as np
import pytest

from parity.engines.execute import execute
from parity.generate.profiles import PROFILES
from parity.oracle.exact.engine import Exact
from tests.helpers.programs import sample


@pytest.mark.parametrize("profile", PROFILES)
def test_every_value_of_a_generated_program_is_a_number(profile: str) -> None:
    """Second derivatives may have poles; values have none."""
    for case in sample(profile, 60, Exact(), seed=3):
        values = [o for o in execute(case, Exact()).observations if o.what == "value"]
        assert all(np.isfinite(o.array).all() for o in values if o.array is not None), str(case)
