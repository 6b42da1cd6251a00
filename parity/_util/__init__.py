"""Helpers without knowledge of engines and programs; they import nothing else of parity."""
