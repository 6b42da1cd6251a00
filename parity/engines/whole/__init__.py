"""Engines that take whole programs: compilers and transforms of functions.

In reading order: ``base`` (the interface), ``source`` (a program as a Python function), ``runner``
(batches), ``options`` (of the name of an engine) and ``torch_forms`` (forms of an operation).
"""
