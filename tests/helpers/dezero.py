"""Comparison of dezero with PyTorch, shared by the tests of dezero."""

import numpy as np
import torch

from dezero import Variable

torch.set_num_threads(1)

FLOATS = (np.float32, np.float64)
RTOL = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 1e-12}


def values(shape, dtype=np.float64, start=0):
    """Irregular values between -2 and 2, none of them zero, the same in every run."""
    count = int(np.prod(shape))
    numbers = (np.arange(start, start + count) * 37 + 11) % 64
    return ((numbers - 31.5) / 16).reshape(shape).astype(dtype)


def integers(shape, dtype=np.float64, start=0):
    """Small whole numbers, none of them zero: sums and products of them are exact."""
    numbers = (np.arange(start, start + int(np.prod(shape))) * 5 + 1) % 7 - 3
    return np.where(numbers == 0, 4, numbers).reshape(shape).astype(dtype)


def leaf(array):
    return Variable(np.array(array))


def tensor(array):
    return torch.from_numpy(np.array(array)).requires_grad_()


def to_array(x):
    """The array of a Variable, a tensor or an array (PyTorch's ZeroTensor included)."""
    if isinstance(x, torch.Tensor):
        return (x.detach() - 0).numpy()  # not + 0, which would make -0 a +0
    return x.data if isinstance(x, Variable) else np.asarray(x)


def assert_bits(actual, expected):
    """The same shape, dtype and bits; any nan equals any other."""
    a, b = to_array(actual), to_array(expected)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    np.testing.assert_array_equal(a, b)
    numbers = ~np.isnan(a)
    np.testing.assert_array_equal(np.signbit(a[numbers]), np.signbit(b[numbers]))


def assert_close(actual, expected, rtol=None):
    """The same shape and dtype, and equal within the rounding of a few operations."""
    a, b = to_array(actual), to_array(expected)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    rtol = RTOL[a.dtype] if rtol is None else rtol
    scale = np.max(np.abs(b), initial=0, where=np.isfinite(b))
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(scale, 1))


def gradients(function, arrays, gradient=None):
    """The gradients of dezero from one plain pass; a leaf that was not reached has None."""
    xs = [leaf(a) for a in arrays]
    function(*xs).backward(gradient)
    return [x.grad for x in xs]


def torch_gradients(function, arrays, gradient=None):
    """As ``gradients``, by PyTorch; without a gradient the root is seeded with ones."""
    ts = [tensor(a) for a in arrays]
    y = function(*ts)
    g = torch.ones_like(y) if gradient is None else torch.from_numpy(np.array(gradient))
    return list(torch.autograd.grad(y, ts, g, allow_unused=True))


def check_derivatives(fd, ft, arrays, orders=2, same=assert_close):
    """Compare the value of a function and its derivatives with PyTorch's.

    ``fd`` works on Variables, ``ft`` on tensors. The gradient of the output is a
    leaf as well, so that the derivatives of the backward formulas with respect to
    it are compared too. ``same``: ``assert_close`` or ``assert_bits``.
    """
    xs, ts = [leaf(a) for a in arrays], [tensor(a) for a in arrays]
    y, ty = fd(*xs), ft(*ts)
    same(y, ty)
    g = integers(y.shape, y.dtype, 2)
    plain = gradients(fd, arrays, g)
    xs.append(leaf(g))
    ts.append(tensor(g))
    y.backward(xs[-1], create_graph=True)
    expected = torch.autograd.grad(ty, ts[:-1], ts[-1], create_graph=True, materialize_grads=True)
    for x, once, e in zip(xs, plain, expected, strict=False):
        assert_bits(x.grad, once)
        same(x.grad, e)
    for order in range(1, orders):
        found = [x.grad for x in xs]
        loss, tloss = leaf(np.zeros((), y.dtype)), tensor(np.zeros((), y.dtype))
        for i, (f, e) in enumerate(zip(found, expected, strict=False)):
            if f is not None:
                h = integers(f.shape, f.dtype, 3 * i + order)
                loss, tloss = loss + (f * h).sum(), tloss + (e * torch.from_numpy(h)).sum()
        for x in xs:
            x.cleargrad()
        loss.backward(create_graph=True)
        expected = torch.autograd.grad(tloss, ts, create_graph=True, materialize_grads=True)
        for x, e in zip(xs, expected, strict=True):
            same(np.zeros(x.shape, x.dtype) if x.grad is None else x.grad, e)
