"""``parity.check_function`` finds nothing in functions of PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

import parity
from tests.helpers.plain_functions import PLAIN

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "f", "shapes", "domain"), PLAIN, ids=[p[0] for p in PLAIN])
def test_a_function_of_pytorch_has_none(name: str, f: Any, shapes: Any, domain: str) -> None:
    assert str(parity.check_function(f, *shapes, domain=domain).findings) == "[]"
