"""Engines that take whole programs: compilers and transforms of functions.

In reading order: ``base`` (the interface), ``source`` (a program as a Python function), ``torch_forms``
(forms of an operation in PyTorch), ``torch_compile`` (the engine) and ``runner`` (batches).
"""
