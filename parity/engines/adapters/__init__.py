"""Adapters: implementations of ``parity.engines.Engine`` for several libraries.

``torch`` is the reference and ``dezero`` the engine of this project. ``micrograd``, ``mygrad``,
``autograd`` and ``jax`` are engines of other projects and need the extra ``peers``.
``numpy_like`` and ``functional`` hold what adapters share: operations with NumPy's function names,
and engines that differentiate functions instead of recording a graph.

No module here imports another package of parity than ``engines`` and ``language``. Import one
module at a time: each imports its library.
"""
