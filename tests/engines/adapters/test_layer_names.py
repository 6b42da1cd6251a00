"""Names of products, linear algebra and layers in libraries: they fit the rows."""

from __future__ import annotations

import importlib
import random
import zlib

import numpy as np
import pytest
import torch

from parity.engines.adapters.names import numpy_layers
from parity.language.table import OPS


@pytest.mark.parametrize("library", ["numpy", "paddle", "tensorflow", "mlx", "jax"])
def test_expressions_are_of_rows_and_can_be_read(library: str) -> None:
    table = importlib.import_module(f"parity.engines.adapters.names.{library}_layers").NAMES
    assert not set(table) - set(OPS)
    for name, text in table.items():
        compile(OPS[name].as_lambda(text), name, "eval")


@pytest.mark.parametrize("name", numpy_layers.NAMES)
def test_numpy_has_the_values_of_pytorch(name: str) -> None:
    op = OPS[name]
    function = eval(op.as_lambda(numpy_layers.NAMES[name]), {"np": np})
    shapes = op.template.draw(random.Random(zlib.crc32(name.encode())))
    attrs = op.attribute_choices(shapes)[0]
    passed = {key: op.kinds[key].to_python(value) for key, value in attrs.items()}
    source = np.random.default_rng(0)
    domains = op.domains(len(shapes))
    arrays = [d.draw(source, s, grid=False) for d, s in zip(domains, shapes, strict=True)]
    expected = op.function(*map(torch.tensor, arrays), **passed)
    found = function(*arrays, **passed)
    several = isinstance(expected, tuple)
    for y, z in zip(
        expected if several else [expected], found if several else [found], strict=True
    ):
        np.testing.assert_allclose(z, y.numpy(), rtol=1e-9, atol=1e-9)
