"""The same gradient in other settings: in each it has to be that of a plain backward.

A variant gets a function, inputs and upstream gradients, and yields what it compares: a sentence
that holds if the two differ, the number that was found, and the one that is right. It stops early
where the function does not take part. The text of these functions becomes part of scripts that run
without parity, so they use PyTorch alone, and each names only functions of this module.
"""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import torch
import torch.utils.checkpoint


def outputs_of(f: Any, xs: list[Any]) -> list[Any]:
    """Return the outputs of a function that hold real numbers."""
    y = f(*xs)
    ys = y if isinstance(y, (tuple, list)) else (y,)
    return [t for t in ys if isinstance(t, torch.Tensor) and t.is_floating_point()]


def leaves_of(xs: list[Any], wanted: Any = None) -> list[Any]:
    """Return copies that require gradients: of all inputs with real numbers, or of those wanted."""
    leaves = [x.detach().clone() for x in xs]
    for i, leaf in enumerate(leaves):
        leaf.requires_grad_(leaf.is_floating_point() and (wanted is None or i in wanted))
    return leaves


def pulled(ys: list[Any], leaves: list[Any], vs: list[Any]) -> list[Any]:
    """Return the gradient of each leaf, zeros where there is none."""
    pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    wanted = [x for x in leaves if x.requires_grad]
    if not pairs or not wanted:
        return [torch.zeros_like(x) for x in leaves]
    roots, starts = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(roots, wanted, starts, allow_unused=True))
    given = [next(found) if x.requires_grad else None for x in leaves]
    pairs = list(zip(given, leaves, strict=True))
    return [torch.zeros_like(x) if g is None else g.detach() for g, x in pairs]


def gradients(f: Any, xs: list[Any], vs: list[Any]) -> list[Any]:
    """Return the gradient of each input by a plain backward."""
    leaves = leaves_of(xs)
    return pulled(outputs_of(f, leaves), leaves, [v.clone() for v in vs])


def second_derivatives(f: Any, xs: list[Any], vs: list[Any], ws: list[Any]) -> list[Any]:
    """Return derivatives of the gradients times ``ws``, by each input and upstream gradient."""
    leaves, starts = leaves_of(xs), leaves_of(vs)
    ys = outputs_of(f, leaves)
    wanted = [x for x in leaves if x.requires_grad]
    found = torch.autograd.grad(ys, wanted, starts, create_graph=True, allow_unused=True)
    pairs = [(g, w) for g, w in zip(found, ws, strict=True) if g is not None]
    return pulled([g for g, _ in pairs], [*leaves, *starts], [w for _, w in pairs])


def layouts(t: Any) -> Iterator[Any]:
    """Yield a name and a tensor of the same numbers with other strides."""
    if t.ndim >= 2:
        yield "transposed", t.mT.contiguous().mT
    if t.ndim >= 1:
        parted = torch.zeros(*t.shape[:-1], 2 * t.shape[-1], dtype=t.dtype, device=t.device)
        parted[..., ::2] = t
        yield "every second element of a larger tensor", parted[..., ::2]


def reordered(xs: list[Any]) -> list[Any]:
    """Return other inputs: the same numbers in reverse order."""
    return [x.flatten().flip(0).reshape(x.shape) if x.is_floating_point() else x for x in xs]


def repeated(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Run it again, with the same inputs."""
    first, second = (outputs_of(f, leaves_of(xs)) for _ in range(2))
    for k, (a, b) in enumerate(zip(second, first, strict=True)):
        yield f"output {k} is another one when it runs again", a, b
    for i, (a, b) in enumerate(zip(gradients(f, xs, vs), gradients(f, xs, vs), strict=True)):
        yield f"the gradient of input {i} is another one when it runs again", b, a


def unchanged(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Look at inputs and upstream gradients after forward and backward."""
    leaves, starts = leaves_of(xs), [v.clone() for v in vs]
    ys = outputs_of(f, leaves)
    for i, (leaf, x) in enumerate(zip(leaves, xs, strict=True)):
        yield f"input {i} is changed in place by the forward", leaf.detach().clone(), x
    pulled(ys, leaves, starts)
    for i, (leaf, x) in enumerate(zip(leaves, xs, strict=True)):
        yield f"input {i} is changed in place by the backward", leaf.detach(), x
    for k, (start, v) in enumerate(zip(starts, vs, strict=True)):
        yield f"the upstream gradient of output {k} is changed in place", start, v


def upstream_layouts(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Pass upstream gradients with other strides."""
    for k, v in enumerate(vs):
        given = list(layouts(v))
        if v.numel():
            given.append(("expanded (stride 0)", v.flatten()[0].expand(v.shape)))
        for words, laid in given:
            expected = gradients(f, xs, [*vs[:k], laid.contiguous(), *vs[k + 1 :]])
            leaves = leaves_of(xs)
            found = pulled(outputs_of(f, leaves), leaves, [*vs[:k], laid, *vs[k + 1 :]])
            for i, (a, b) in enumerate(zip(found, expected, strict=True)):
                yield f"the gradient of input {i} is wrong where the upstream one is {words}", a, b


def input_layouts(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Pass inputs with other strides."""
    values, expected = outputs_of(f, leaves_of(xs)), gradients(f, xs, vs)
    for j, x in enumerate(xs):
        for words, laid in layouts(x):
            leaves = leaves_of(xs)
            leaves[j] = laid.requires_grad_(x.is_floating_point())
            ys = outputs_of(f, leaves)
            for k, (a, b) in enumerate(zip(ys, values, strict=True)):
                yield f"output {k} is wrong where input {j} is {words}", a, b
            for i, (a, b) in enumerate(zip(pulled(ys, leaves, vs), expected, strict=True)):
                yield f"the gradient of input {i} is wrong where input {j} is {words}", a, b


def partly_required(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Let only some of the inputs require gradients."""
    expected = gradients(f, xs, vs)
    real = [i for i, x in enumerate(xs) if x.is_floating_point()]
    some = [[i] for i in real] + [[k for k in real if k != i] for i in real]
    for wanted in some if len(real) > 1 else []:
        leaves = leaves_of(xs, wanted)
        found = pulled(outputs_of(f, leaves), leaves, vs)
        words = " and ".join(str(i) for i in wanted)
        for i in wanted:
            says = f"the gradient of input {i} is wrong where only inputs {words} require one"
            yield says, found[i], expected[i]


def same_tensor(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Pass one tensor as two inputs: its gradient is the sum of those of two equal tensors."""
    real = [i for i, x in enumerate(xs) if x.is_floating_point()]
    pairs = [(i, j) for i in real for j in real if i < j and xs[i].shape == xs[j].shape]
    for i, j in pairs:
        equal = [*xs[:j], xs[i], *xs[j + 1 :]]
        try:
            apart = gradients(f, equal, vs)
        except Exception:
            continue  # equal inputs do not fit
        leaves = leaves_of(equal)
        leaves[j] = leaves[i]
        found = pulled(outputs_of(f, leaves), leaves, vs)
        says = f"the gradient is wrong where the same tensor is passed as inputs {i} and {j}"
        yield says, found[i], apart[i] + apart[j]


def broadcast(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Pass a smaller input where the function takes it like the one that it expands to."""
    for i, x in enumerate(xs if len(xs) > 1 else []):
        smaller = [x.narrow(axis, 0, 1) for axis in range(x.ndim) if x.shape[axis] > 1]
        smaller += [x[0]] if x.ndim and x.shape[0] else []
        for small in smaller if x.is_floating_point() else []:
            wide = [*xs[:i], small.expand(x.shape).contiguous(), *xs[i + 1 :]]
            narrow = [*xs[:i], small.contiguous(), *xs[i + 1 :]]
            try:
                values, expected = outputs_of(f, leaves_of(wide)), gradients(f, wide, vs)
                leaves = leaves_of(narrow)
                ys = outputs_of(f, leaves)
                alike = all(torch.allclose(a, b) for a, b in zip(ys, values, strict=True))
            except Exception:
                continue  # it does not broadcast
            if alike and [y.shape for y in ys] == [y.shape for y in values]:
                found = pulled(ys, leaves, vs)[i]
                says = f"the gradient of input {i} is wrong where it is broadcast"
                text = f"{says} from shape {tuple(small.shape)} to {tuple(x.shape)}"
                yield text, found, expected[i].sum_to_size(small.shape)


def second_backward(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Run backward twice with retain_graph: gradients accumulate."""
    leaves = leaves_of(xs)
    ys = [y for y in outputs_of(f, leaves) if y.requires_grad]
    for _ in range(2 if len(ys) == len(vs) else 0):
        torch.autograd.backward(ys, [v.clone() for v in vs], retain_graph=True)
    for i, (leaf, g) in enumerate(zip(leaves, gradients(f, xs, vs), strict=True)):
        if leaf.grad is not None:
            says = f"the gradient of input {i} is wrong after a second backward with retain_graph"
            yield says, leaf.grad, 2 * g


def interleaved(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Call it with other inputs between forward and backward."""
    expected, leaves = gradients(f, xs, vs), leaves_of(xs)
    ys = outputs_of(f, leaves)
    try:
        f(*leaves_of(reordered(xs)))
    except Exception:
        return  # the other inputs do not fit
    for i, (a, b) in enumerate(zip(pulled(ys, leaves, vs), expected, strict=True)):
        says = f"the gradient of input {i} is wrong where it is called again before the backward"
        yield says, a, b


def freed(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Look which tensors are left once inputs and outputs are deleted."""
    collects = gc.isenabled()
    gc.disable()  # circles of references stay until it runs, which may take long
    leaves = leaves_of(xs)
    ys = outputs_of(f, leaves)
    pulled(ys, leaves, vs)
    held = [(f"input {i}", weakref.ref(x)) for i, x in enumerate(leaves)]
    held += [(f"output {k}", weakref.ref(y)) for k, y in enumerate(ys)]
    del leaves, ys
    found = [(name, "freed" if reference() is None else "in memory") for name, reference in held]
    if collects:
        gc.enable()
    for name, state in found:
        yield f"{name} stays in memory after the graph is gone", state, "freed"


def without_grad(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Call it under no_grad, and with inputs that require no gradient."""
    expected = outputs_of(f, leaves_of(xs))
    with torch.no_grad():
        under = outputs_of(f, leaves_of(xs))
    plain = outputs_of(f, leaves_of(xs, []))
    for where, found in ("under no_grad", under), ("where no input requires a gradient", plain):
        for k, (a, b) in enumerate(zip(found, expected, strict=True)):
            yield f"output {k} is wrong {where}", a, b


def checkpointed(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Call it inside torch.utils.checkpoint, which runs the forward again in the backward."""
    leaves = leaves_of(xs)
    ys = outputs_of(
        lambda *a: torch.utils.checkpoint.checkpoint(f, *a, use_reentrant=False), leaves
    )
    for i, (a, b) in enumerate(zip(pulled(ys, leaves, vs), gradients(f, xs, vs), strict=True)):
        yield f"the gradient of input {i} is wrong inside torch.utils.checkpoint", a, b


def copied(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Let the gradient pass through other operations before and after."""
    expected, leaves = gradients(f, xs, vs), leaves_of(xs)
    ys = [y * 1 for y in outputs_of(f, [x * 1 for x in leaves])]
    for i, (a, b) in enumerate(zip(pulled(ys, leaves, copy.copy(vs)), expected, strict=True)):
        yield f"the gradient of input {i} is wrong between other operations", a, b


def forward_mode(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Compare the product of upstream gradient, derivative and tangent in both modes."""
    ad: Any = torch.autograd.forward_ad
    found = expected = torch.zeros(())
    with ad.dual_level():
        duals = []
        for x, g in zip(xs, gradients(f, xs, vs), strict=True):
            tangent = torch.linspace(0.5, 1.5, x.numel(), dtype=g.dtype, device=x.device)
            tangent = tangent.reshape(x.shape)
            expected = expected + (g * tangent).sum()
            duals.append(ad.make_dual(x, tangent) if x.is_floating_point() else x)
        for y, v in zip(outputs_of(f, duals), vs, strict=True):
            tangent = ad.unpack_dual(y).tangent
            found = found + (0 if tangent is None else (v * tangent).sum())
    yield "the derivative in forward mode (jvp) is wrong", found, expected


def vmapped(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Call it under torch.func.vmap, with two sets of inputs at once."""
    sets = [xs, reordered(xs)]
    expected = [outputs_of(f, leaves_of(s)) for s in sets]
    slopes = [gradients(f, s, vs) for s in sets]
    real = [x.is_floating_point() for x in xs]
    stacked = [torch.stack(pair) if r else pair[0] for r, *pair in zip(real, *sets, strict=True)]
    leaves = leaves_of(stacked)
    mapped = torch.func.vmap(f, in_dims=tuple(0 if r else None for r in real))
    ys = outputs_of(mapped, leaves)
    for k, y in enumerate(ys):
        yield f"output {k} is wrong under torch.func.vmap", y, torch.stack([e[k] for e in expected])
    found = pulled(ys, leaves, [torch.stack([v, v]) for v in vs])
    for i, g in enumerate(found):
        if real[i]:
            says = f"the gradient of input {i} is wrong under torch.func.vmap"
            yield says, g, torch.stack([s[i] for s in slopes])


def compiled(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Call it under torch.compile, without the code generator."""
    leaves = leaves_of(xs)
    ys = outputs_of(torch.compile(f, backend="aot_eager"), leaves)
    for k, (a, b) in enumerate(zip(ys, outputs_of(f, leaves_of(xs)), strict=True)):
        yield f"output {k} is wrong under torch.compile", a, b
    for i, (a, b) in enumerate(zip(pulled(ys, leaves, vs), gradients(f, xs, vs), strict=True)):
        yield f"the gradient of input {i} is wrong under torch.compile", a, b


def returned(f: Any, xs: list[Any], vs: list[Any]) -> Iterator[Any]:
    """Look at what the backward of a torch.autograd.Function returns, before PyTorch casts it."""
    ys = outputs_of(f, leaves_of(xs))
    node = ys[0].grad_fn if len(ys) == 1 else None
    backward = getattr(getattr(node, "_forward_cls", None), "backward", None)
    if backward is None:
        return
    found = backward(node, *(v.clone() for v in vs))
    for i, g in enumerate(found if isinstance(found, tuple) else (found,)):
        if isinstance(g, torch.Tensor):
            says = f"backward returns {g.dtype} as its gradient {i} where inputs are {xs[0].dtype}"
            allowed = {x.dtype for x in xs}
            yield (
                f"{says}, and PyTorch casts it",
                str(g.dtype),
                str(g.dtype if g.dtype in allowed else xs[0].dtype),
            )
