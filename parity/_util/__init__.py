"""Helpers for all packages: errors, process settings, decoding of plain data, Markdown tables.

Nothing here imports another package of parity.
"""
