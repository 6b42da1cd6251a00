"""The verdict line of the summary of pytest."""

from __future__ import annotations

from typing import Any

import pytest

from parity.testing.plugin import _verdict


@pytest.mark.parametrize(
    ("stats", "status", "programs", "line"),
    [
        ({"passed": [1]}, 0, 300, "verdict: parity: 300 programs"),
        ({"passed": [1]}, 0, 0, "verdict: interrupted: no program ran"),
        ({"failed": [1]}, 1, 300, "verdict: findings: 1 failed test; 300 programs"),
        ({"failed": [1, 2]}, 1, 0, "verdict: findings: 2 failed tests; no program ran"),
        ({"error": [1]}, 1, 300, "verdict: findings: 1 error; 300 programs"),
        ({"passed": [1]}, 2, 300, "verdict: interrupted: 300 programs"),
        ({"failed": [1]}, 2, 300, "verdict: interrupted: 1 failed test; 300 programs"),
        ({}, 3, 300, "verdict: interrupted: 300 programs"),
        ({}, 5, 0, "verdict: interrupted: no program ran"),
        ({"passed": [1]}, 1, 300, "verdict: findings: 300 programs"),
    ],
)
def test_parity_is_said_only_of_a_complete_run(
    stats: dict[str, Any], status: int, programs: int, line: str
) -> None:
    assert _verdict(stats, status, programs) == line
