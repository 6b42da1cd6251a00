"""Engines under measurement: one class a library."""
