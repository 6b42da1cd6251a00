"""Engines that take whole programs: compilers and transforms of functions.

In reading order: ``base`` (the interface), ``source`` (a program as a Python function), ``runner``
(batches) and ``torch_forms`` (forms of an operation in PyTorch).
"""
