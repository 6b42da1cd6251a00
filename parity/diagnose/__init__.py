"""Diagnosis of findings: reduce programs, name the defect, write reproducer scripts.

Modules, in reading order:

- ``shrink_passes`` and ``shrink``: reduce a program to the smallest one with the same finding.
- ``defects``: engines with one deliberate defect each.
- ``neighbours``, ``probe_programs`` and ``probe``: programs similar to a reduced one, what the
  engine computes on them, and other orders in which a defect's backward may run nodes.
- ``combinations``: several defects at once.
- ``diagnosis`` and ``diagnose``: compare the engine with the defects.
- ``reproducer_template`` and ``reproducer``: a script that shows a finding without parity.

The package may import ``parity.language``, ``parity.engines``, ``parity.generate``,
``parity.oracle`` and ``parity._util``, but not the packages above it: ``campaign``, ``testing``
and ``cli``.
"""
