"""Helpers for all packages: ``errors`` (``UsageError``) and ``process`` (``fuzzing_runtime``).

Nothing here imports another package of parity.
"""
