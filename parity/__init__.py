"""Finds programs on which an autograd engine and PyTorch differ.

The pipeline: bytes become a ``Program``, engines run it and leave a ``Trace``
each, two traces are compared to findings, a finding is reduced to the smallest
program and written as a script that anyone can run.
"""

__version__ = "0.1.0"
