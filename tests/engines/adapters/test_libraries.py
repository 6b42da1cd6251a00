"""Operations of libraries by name: what a module lacks is left out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from parity.engines.adapters.libraries import LIBRARIES, named_functions, torch_like
from parity.language.table import OPS


def test_functions_by_expressions_leave_out_what_a_module_lacks() -> None:
    names = {"exp": "np.exp(a)", "cumprod": "np.cumprod(a, axis)", "erf": "np.erf(a)", "no": "a"}
    functions = named_functions(names, {"np": np})
    assert set(functions) == {"exp", "cumprod"}
    assert functions["cumprod"](np.array([2.0, 3.0]), axis=0).tolist() == [2.0, 6.0]


def test_a_module_with_some_of_pytorchs_functions() -> None:
    module = SimpleNamespace(exp=torch.exp, nn=SimpleNamespace(functional=torch.nn.functional))
    functions = torch_like(module)
    assert {"exp", "layer_norm"} <= set(functions)
    assert "cumprod" not in functions


@pytest.mark.parametrize("library", LIBRARIES)
def test_names_of_libraries_are_operations_of_the_table(library: str) -> None:
    names = LIBRARIES[library].names()
    assert len(names) > 100
    assert set(names) <= set(OPS)
