"""``scan``: which operations a library has, and which of them compute what PyTorch does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from parity._util.errors import UsageError
from parity.engines.adapters.libraries import LIBRARIES, named_functions, torch_like
from parity.engines.scan import compare_functions, scan
from parity.language.table import OPS


def broken(a: Any) -> Any:
    raise RuntimeError("no\nkernel")


FUNCTIONS = {
    "exp": np.exp,
    "cumprod": lambda a, *, axis: np.cumprod(a, axis),
    "sinh": np.cosh,
    "tan": lambda a: np.tan(a)[..., None],
    "asinh": broken,
    "erf": lambda a: "text",
    "frac": lambda a: np.full_like(a, np.nan),
}


@pytest.fixture(scope="module")
def found() -> Any:
    return compare_functions("mine", FUNCTIONS, np.asarray, np.asarray)


def test_what_agrees_differs_and_is_missing_is_told_apart(found: Any) -> None:
    assert found.same == ["exp", "cumprod"]
    assert sorted(found.other) == ["asinh", "erf", "frac", "sinh", "tan"]
    assert set(found.missing) == set(OPS) - set(FUNCTIONS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sinh", "in PyTorch"),
        ("tan", "shape"),
        ("asinh", "raises RuntimeError: no\\nkernel"),
        ("erf", "shape"),
        ("frac", "nan"),
    ],
)
def test_each_difference_is_one_line(found: Any, name: str, words: str) -> None:
    assert words in found.other[name]
    assert "\n" not in found.other[name]


def test_the_report_names_everything(found: Any) -> None:
    lines = str(found).splitlines()
    assert lines[0] == "mine: 2 operations compute what PyTorch does"
    assert "another function, or wrong: 5" in lines
    assert f"not there: {len(OPS) - 7}" in lines


def test_numpy_has_some_operations() -> None:
    found = scan("numpy")
    assert len(found.same) > 40
    assert {"exp", "add", "matmul", "cumsum"} <= set(found.same)


def test_a_module_that_is_not_there_is_a_mistake_of_the_user() -> None:
    with pytest.raises(UsageError, match="no_such_module") as caught:
        scan("no_such_module")
    assert "\n" not in str(caught.value)


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
