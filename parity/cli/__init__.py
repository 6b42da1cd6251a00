"""The ``parity`` command: options in, calls of the other packages, text and JSON out.

Modules, in reading order: ``main`` (the parser of all commands, and the command ``adapter``),
``parser`` (errors, and what may have been meant), ``examples`` (of each command), ``options`` (exit
statuses, common options, and writing files), ``progress`` (the progress bar), and those of the
commands: ``check``, ``lookup`` (``list``, ``explain``, ``run``), ``completion``, ``campaign``
(``fuzz``, ``replay``, ``minimize``, ``promote``), ``evaluate`` (``score``, ``survey``) and
``bench`` (``bench``, ``report``).

A command imports what it needs when it runs, so that ``parity --help`` is fast. The package may
import every package of parity except ``parity.suite``.
"""
