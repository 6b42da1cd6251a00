"""Defects on few operations: each is run alone where something is found, which takes seconds."""

from __future__ import annotations

from parity.diagnose.defects import clearing, engine, traversal

OPS = ("neg", "add", "mul", "mul_scalar", "sum", "reshape")


class _Few(engine.TapeEngine):
    def __init__(self) -> None:
        super().__init__()
        self.ops = {name: self.ops[name] for name in OPS}


class Overwrite(_Few, traversal.Overwrite):
    """Assigns the gradient."""


class ZeroReplaces(_Few, clearing.ZeroReplaces):
    """Zeroes a gradient in a new array."""
