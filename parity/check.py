"""One program on an engine and the reference: a finding, or none."""

from __future__ import annotations

from parity.compare import Finding, compare
from parity.engines.base import Engine
from parity.execute import execute
from parity.program import Program


def check_program(program: Program, engine: Engine, reference: Engine) -> Finding | None:
    """Run ``program`` on both and compare; the first difference, or None."""
    return compare(program, execute(program, engine), execute(program, reference), engine.bitwise)
