"""Generated programs stay in the real numbers: of what is no number there is no right answer."""

from __future__ import annotations

import pytest
from parity_helpers import sample

from parity.engines.exact import Exact
from parity.execute import execute
from parity.generate import PROFILES


@pytest.mark.parametrize("profile", PROFILES)
def test_no_generated_program_leaves_the_real_numbers(profile: str) -> None:
    exact = Exact()
    for case in sample(profile, 60, exact, seed=3):
        execute(case, exact)
        assert exact.edges == 0, case.text()
