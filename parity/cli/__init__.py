"""The ``parity`` command: options in, calls of the other packages, text and JSON out.

Modules, in reading order: ``main`` (the parser of all commands), ``status`` (exit statuses),
``options`` (common options, and writing files), ``progress`` (the progress bar), and one module
per command: ``check``, ``fuzz``, ``score``, ``survey``, ``bench``, ``report`` and ``adapter``;
``corpus`` has ``replay``, ``minimize`` and ``promote``.

A command imports what it needs when it runs, so that ``parity --help`` is fast. The package may
import every package of parity except ``parity.suite``.
"""
