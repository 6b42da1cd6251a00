"""The pytest plugin of parity, which runs ``parity.suite`` on an engine.

Modules, in reading order:

- ``plugin``: options, the ``parity`` fixture and the summary.
- ``hookspecs``: hooks for a ``conftest.py``.
- ``suite``: ``Suite``, the engine under test with the checks that the tests call.
- ``keys``: names of the user properties that tests leave for the summary.

The package may import every package of parity except ``bench``, ``suite`` and ``cli``.
"""
