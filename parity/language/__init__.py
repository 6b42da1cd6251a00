"""Programs: what they consist of, and the operations that they apply.

A ``Program`` is data: leaves, and statements that apply operations, run backward,
and clear or change gradients. This package says which programs make sense and
what shapes, dtypes and bounds their values have. It runs no program and imports
no other part of parity; PyTorch is imported only where a row's function is asked for.

Reading order:

- ``program``: leaves, statements, ``Program``; ``text_format`` and ``json_format``
  write programs and read them back.
- ``operation``: ``Operation``, the row of an operation, with an example; ``table``:
  ``OPS``, all rows, ``register``, which adds one, and what an operation gives on operands of
  given shapes, kept once it is known; ``operations``: the rows by family.
- What rows are made of: ``attributes`` (kinds of attributes), ``shapes`` (shapes of
  results, attributes that fit), ``intervals`` (bounds of values), ``dyadic`` (when
  arithmetic is exact).
"""
