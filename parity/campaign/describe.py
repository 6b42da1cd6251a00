"""A finding as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.campaign.result import Report
from parity.engines.base import Engine, label
from parity.engines.runner import AnyEngine
from parity.oracle.adjudicate import REFERENCE


def describe(reported: Report, engine: AnyEngine, reference: Engine) -> str:
    """A finding as a person reads it: program, both values, kind and script."""
    finding = reported.finding
    program = str(reported.program) if reported.program else reported.probe
    lines = [str(finding), *("    " + line for line in program.splitlines())]
    shown = told_apart(finding.engine, finding.reference)
    for who, text in zip((engine, reference), shown, strict=True):
        lines.append(f"  {label(who)}: " + text.replace("\n", "\n" + " " * 12))
    if reported.wrong == REFERENCE:  # otherwise it is what a finding says anyway
        lines.append(f"  by an exact evaluation it is {reference.name} that is wrong")
    if reported.verdict.note:
        undecided = "who is wrong is undecided: " if reported.wrong is None else ""
        lines.append(f"  {undecided}{reported.verdict.note}")
    if finding.error_over_bound is not None and not reported.verdict.bits:
        lines.append(f"  error: {finding.error_over_bound:.3g} times what rounding explains")
    if reported.diagnosis is not None:
        lines += ["  " + line for line in reported.diagnosis.text().splitlines()]
    if reported.script:
        lines.append(f"  script: {reported.script}")
    return "\n".join(lines)


def told_apart(a: Any, b: Any) -> tuple[str, str]:
    """Both as text, with as many digits as it takes to see a difference, then with their form."""
    for digits in None, "unique":
        with np.printoptions() if digits is None else np.printoptions(floatmode="unique"):
            texts = str(a), str(b)
        if texts[0] != texts[1]:
            return texts
    return _with_form(a), _with_form(b)


def _with_form(value: Any) -> str:
    return f"{value} ({value.dtype} {value.shape})" if isinstance(value, np.ndarray) else str(value)
