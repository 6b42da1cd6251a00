"""Adapters: implementations of ``parity.engines.Engine`` for several libraries.

``torch`` is the reference and ``dezero`` the engine of this project; those of other projects need
the extra ``peers``. Import one module at a time: each imports its library.
"""
