"""Quirks: documented deviations of engines from PyTorch.

An engine names its quirks in ``Engine.quirks``. The reference is then wrapped so that it has the
same quirks, and the comparison stays exact.

Modules, in reading order: ``base`` (the wrapper that all quirks extend), ``gradients`` (gradients
between backward passes), ``graphs`` (lifetime of graphs), ``ties`` (gradients where elements are
equal) and ``table`` (all quirks by name, and ``with_quirks``).
"""
