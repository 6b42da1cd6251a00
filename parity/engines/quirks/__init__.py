"""Quirks: documented deviations of engines from PyTorch, which the reference imitates.

In reading order: ``base`` (the wrapper that all extend), ``gradients``, ``graphs`` and ``ties``
(the quirks), and ``table`` (all of them by name, and ``with_quirks``).
"""
