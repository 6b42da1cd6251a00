"""Random programs: from bytes to valid programs, and what they exercise.

The same bytes give the same program, and a zero in their place gives a simpler one, so
that Hypothesis can shrink them. Every program is valid for the engine that it is made
for: it has only operations, dtypes and events that the engine has.

Reading order:

- ``profiles``: what the programs of one property look like, such as how often they
  clear gradients.
- ``decoder``: turns bytes into choices; ``builder``: builds a program from these choices,
  step by step, and leaves out what would not be valid.
- ``schedule``: programs of several profiles in turn, from a seed; ``strategies``: the same
  programs as a Hypothesis strategy.
- ``coverage``: which operations, shapes and sequences of events a run has exercised.
"""
