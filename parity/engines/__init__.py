"""Engines under test: the contract and the adapters.

Subclass ``Engine`` to test an engine of your own.
"""

from parity.engines.base import Engine, Unsupported

__all__ = ["Engine", "Unsupported"]
