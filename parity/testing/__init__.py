"""The pytest plugin of parity, which runs ``parity.suite`` on an engine.

Modules, in reading order:

- ``plugin``: ``Session``, the engine of a pytest run, header and summary. Options and the fixture
  are in ``pytest_parity`` at the top level, which every pytest run loads.
- ``suite``: ``Suite``, the engine under test with the checks that the tests call.
- ``keys``: names of the user properties that tests leave for the summary.

The package may import every package of parity except ``bench``, ``suite`` and ``cli``.
"""
