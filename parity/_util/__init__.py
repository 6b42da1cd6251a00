"""Helpers without knowledge of engines and programs; they import nothing from the rest of parity."""
