"""Helpers for all packages: errors, escaping, process settings, decoding, Markdown tables.

Nothing here imports another package of parity.
"""
