"""Diagnosis of findings: reduce programs, name the defect, write reproducer scripts.

Modules, in reading order:

- ``shrink_passes`` and ``shrink``: reduce a program to the smallest one with the same finding.
- ``defects``: engines with one deliberate defect each.
- ``causes``: one fault of an engine, with all that a report says of it.
- ``conditions``, ``cells`` and ``operations``: every operation of an engine alone, and in which
  cells it is wrong; ``operation_causes`` and ``repairs``: the causes, in words.
- ``measured``, ``features``, ``orders``, ``tape_programs`` and ``tape``: a tape with wrong values
  of its parameters, over the measured operations, and the programs that tell values apart.
- ``tape_fit`` and ``model``: the values that explain an engine, and what they need.
- ``triage``: which causes a failing program has; what no cause explains is reduced.
- ``reproducer_template`` and ``reproducer``: a script that shows a finding without parity.

The package may import ``parity.language``, ``parity.engines``, ``parity.generate``,
``parity.oracle`` and ``parity._util``, but not the packages above it: ``campaign``, ``testing``
and ``cli``.
"""
