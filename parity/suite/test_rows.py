"""Operations that parity knows as plain data alone: each by itself, and with others after it."""

from __future__ import annotations

import pytest

from parity.engines.base import label
from parity.language.table import OPS
from parity.testing.suite import Suite


def test_operations_without_rules(parity: Suite) -> None:
    """Values and gradients equal PyTorch's on numbers of the domain."""
    if all(OPS[name].has_rules or OPS[name].torch is None for name in parity.engine.ops):
        pytest.skip(f"{label(parity.engine)} has no operations without rules")
    parity.check("rows", share=0.06)
