"""The exact evaluation: an engine that decides which of two others is wrong.

It computes with rational numbers or 50 digits, and derivatives in forward mode, with
dual numbers. So it shares no traversal and no formula of a gradient with PyTorch or
dezero.

Reading order:

- ``engine``: ``Exact``, the engine; ``graph``: its nodes, and how their derivatives are found.
- ``dual``: values with their derivatives; ``numbers`` and ``functions``: arithmetic and
  functions of exact numbers.
- ``rules``: the rule of each operation; ``building``: what rules are made of;
  ``kinks``: functions with kinks, and on which side of a kink operands lie.
"""
