"""Tails that an engine loses are said."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.diagnose.defects.vjps import Rule, do
from parity.engines.runner import as_runner
from parity.oracle.tails import lost_tails
from tests.helpers.programs import TORCH
from tests.helpers.special_engines import with_rule


def _softplus(a: Any) -> Any:
    return np.maximum(a, 0) + np.log(1 + np.exp(-abs(a)))  # log1p would keep the tail


def test_a_lost_tail_is_said_with_the_right_number() -> None:
    rule = Rule(_softplus, lambda g, y, a: (g / (1 + do("exp", -a)),))
    (tail,) = lost_tails(as_runner(with_rule("softplus", rule)), TORCH, ["softplus"])
    assert str(tail) == "the value of `softplus` at -40 is 0.0, and 4.25e-18 is right"


def test_pytorch_loses_some_itself() -> None:
    tails = list(lost_tails(as_runner(TORCH), TORCH, ["sigmoid", "softplus"]))
    assert [(t.op, t.of, t.at, t.everywhere) for t in tails] == [
        ("sigmoid", "gradient", 40.0, True)
    ]
