"""Autograd engines: the ``Engine`` interface, adapters, and running programs on them.

Subclass ``Engine`` to test your own engine; raise ``Unsupported`` for what it does not have.

Modules, in reading order:

- ``base``: the ``Engine`` interface.
- ``adapters``: its implementations for PyTorch, dezero, JAX, autograd, MyGrad and micrograd.
- ``trace`` and ``execute``: run a program on an engine, and what was observed.
- ``runner``: run programs on an engine in this process or in a worker process.
- ``isolation``: the worker processes.
- ``quirks``: documented deviations from PyTorch, which the reference imitates.
- ``load``, ``selfcheck`` and ``open``: from a name on the command line to a checked engine.
- ``sources``: the source code of an adapter, for reproducer scripts.
- ``template``: the adapter file that ``parity adapter`` writes.

The package may import ``parity.language`` and ``parity._util``, but no other package of parity.
Adapters of other projects are imported only when they are loaded by name.
"""

from parity.engines.base import Engine, Unsupported

__all__ = ["Engine", "Unsupported"]
