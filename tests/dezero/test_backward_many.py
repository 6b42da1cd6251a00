"""One pass from several Variables, as ``torch.autograd.backward``."""

import numpy as np
import pytest
import torch

from dezero import Variable, backward_many
from tests.helpers.dezero import leaf, tensor


def _both(run):
    """The gradients of two leaves after the same passes in dezero and PyTorch."""
    found = []
    for make, many in ((leaf, backward_many), (tensor, torch.autograd.backward)):
        x, y = make([2.0, 3.0]), make([5.0, 7.0])
        run(x, y, many, make)
        found.append([None if v.grad is None else np.asarray(v.grad.data).tolist() for v in (x, y)])
    return found


def test_roots_add_up_also_twice_and_behind_each_other():
    def run(x, y, many, make):
        h = x * y
        z = (h * h).sum()
        g = make([1.0, 10.0])
        g = g.data if isinstance(g, Variable) else g.detach()
        many([z, h, x, h], [None, g, g, g])

    ours, theirs = _both(run)
    assert ours == theirs
    assert ours[0] is not None


def test_inputs_restrict_the_leaves_and_a_leaf_apart_gets_none():
    def run(x, y, many, make):
        many([(x * y).sum()], inputs=[y])
        many([x.sum()], inputs=[y])
        many([x.sum(), (x * x).sum()], inputs=[y])

    assert _both(run) == [[None, [2.0, 3.0]]] * 2


def test_a_recorded_pass_can_be_differentiated():
    x = leaf([2.0])
    backward_many([x * x * x], create_graph=True)
    g, x.grad = x.grad, None
    g.backward()
    assert x.grad.data.tolist() == [12.0]


def test_the_graph_is_freed_unless_it_is_retained():
    x = leaf([2.0])
    y = x * x
    backward_many([y], retain_graph=True)
    backward_many([y])
    with pytest.raises(RuntimeError, match="second time"):
        backward_many([y])
    assert x.grad.data.tolist() == [8.0]


def test_what_is_refused():
    x = leaf([2.0])
    with pytest.raises(RuntimeError, match="2 outputs and 1 gradients"):
        backward_many([x, x], [np.ones(1)])
    with pytest.raises(RuntimeError, match="does not require grad"):
        backward_many([x.detach()])
    with pytest.raises(RuntimeError, match="leaves that require"):
        backward_many([x * 2], inputs=[x * 2])
    with pytest.raises(RuntimeError, match="leaves that require"):
        backward_many([x * 2], inputs=[])


def test_the_hook_of_one_root_alone_runs_although_no_input_is_behind_it():
    counts = []
    for make, many in ((leaf, backward_many), (tensor, torch.autograd.backward)):
        x, y, calls = make([2.0]), make([3.0]), []
        h = x * x
        h.register_hook(calls.append)
        many([h], inputs=[y], retain_graph=True)
        many([h, h], inputs=[y])
        assert x.grad is None
        counts.append(len(calls))
    assert counts == [1, 1]
