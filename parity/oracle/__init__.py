"""The oracle: compare an engine with the reference, and adjudicate differences exactly.

Modules, in reading order:

- ``finding``: ``Finding``, a difference, and its kinds.
- ``exactness``: which programs have no rounding error, so that results must be equal.
- ``perturbed`` and ``tolerance``: error bounds of other programs, from random rounding.
- ``compare``: the first difference between two traces.
- ``check``: run a program on the engine and the reference, and compare.
- ``exact``: an independent, exact evaluation, with forward-mode derivatives.
- ``adjudicate``: decide by the exact evaluation which of the two sides is wrong.
- ``probes``: checks that random programs do not cover: depth, growth, memory.
- ``training``: whole training runs, compared step by step.

The package may import ``parity.language``, ``parity.engines`` and ``parity._util``, but not
``parity.generate`` or the packages above it.
"""
