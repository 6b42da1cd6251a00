"""Every form of an operation gives the value and the gradients of the plain operation."""

from __future__ import annotations

import itertools

import pytest
import torch

from parity.engines.whole.torch_forms import FORMS
from parity.language.forms import ARGUMENT, FUNCTIONS
from parity.language.forms import FORMS as KNOWN
from parity.language.table import OPS
from parity.language.values import Info

_SHAPES = ((2, 3), (3, 3), (), (0, 3))


def test_each_form_has_a_function() -> None:
    assert set(FORMS) == set(KNOWN) - {ARGUMENT}


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"cond"}))
def test_forms_mean_the_same(form: str) -> None:
    tried = 0
    for op, shape, same in itertools.product((*FUNCTIONS, "sum"), _SHAPES, (False, True)):
        arity = OPS[op].arity
        attrs = {"mul_scalar": {"c": 2.5}, "sum": {"axis": None, "keepdims": False}}.get(op, {})
        torch.manual_seed(len(op))
        xs = [torch.rand(shape, dtype=torch.float64, requires_grad=True) for _ in range(arity)]
        xs = xs[:1] * arity if same else xs
        numbers = [0] * arity if same else list(range(arity))
        infos = dict.fromkeys(numbers, Info(shape, "float64", True))
        if not KNOWN[form].fits(op, numbers, infos, 1):
            continue
        tried += 1
        f = OPS[op].function
        expected, found = f(*xs, **attrs), FORMS[form](op, f, *xs, **attrs)
        torch.testing.assert_close(found, expected, rtol=1e-14, atol=0.0)
        distinct, g = list(dict.fromkeys(xs)), torch.rand(expected.shape, dtype=torch.float64)
        gradients = [torch.autograd.grad(y, distinct, g) for y in (found, expected)]
        torch.testing.assert_close(*gradients, rtol=1e-13, atol=1e-300)
    assert tried
