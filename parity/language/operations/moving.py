"""Operations that move elements, or choose some: shapes, indices, joining and splitting."""

from __future__ import annotations

import functools

from parity.language import dyadic as dy
from parity.language import indexing
from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import (
    AXES,
    AXIS,
    INDEX,
    INTEGER,
    INTEGERS,
    LENGTHS,
    NESTED_INTEGERS,
    OPTIONAL_INTEGER,
    PAIRS,
)
from parity.language.operation import Operation

#: After the expression of PyTorch come the rule of shapes, the choices of attributes, their kinds.
_moving = functools.partial(Operation, interval=iv.hull, dyadic=dy.MOVES, rounded=True, ulps=1.0)
_reordering = functools.partial(_moving, reorders=True)
_spreading = functools.partial(_moving, spreads=True)

BASIC: tuple[Operation, ...] = (
    _moving(
        "reshape", "a.reshape(shape)", "*s", sh.reshape, sh.reshape_choices, {"shape": LENGTHS}
    ),
    _reordering(
        "transpose", "a.permute(axes)", "*s", sh.transpose, sh.transpose_choices, {"axes": INTEGERS}
    ),
    _spreading(
        "broadcast_to",
        "a.broadcast_to(shape)",
        "*s",
        sh.broadcast_to,
        sh.broadcast_to_choices,
        {"shape": LENGTHS},
    ),
    Operation(
        "sum_to",
        "a.sum_to_size(shape).clone()",
        "*s",  # without clone it may return `a` itself
        sh.sum_to,
        sh.sum_to_choices,
        {"shape": LENGTHS},
        interval=iv.total,
        dyadic=dy.TOTALS,
        sums=True,
        ulps=1.0,
    ),
    _spreading(
        "get_item", "a[index]", "*s", indexing.get_item, indexing.get_item_choices, {"index": INDEX}
    ),
    _reordering(
        "concat", "torch.cat(xs, dim=axis)", "+s, ...", sh.concat, sh.concat_choices, {"axis": AXIS}
    ),
    _moving(
        "split",
        "torch.split(a, sizes, dim=axis)",
        "+s",
        sh.split,
        sh.split_choices,
        {"axis": AXIS, "sizes": LENGTHS},
    ),
)

FURTHER: tuple[Operation, ...] = (
    _reordering(
        "stack", "torch.stack(xs, dim=axis)", "*s, ...", sh.stack, sh.stack_choices, {"axis": AXIS}
    ),
    _reordering(
        "transpose_all",
        "a.permute(tuple(reversed(range(a.ndim))))",
        "*s",
        lambda a: (a[::-1],),
        lambda a: [{}],
    ),
    _moving(
        "squeeze_all",
        "a.squeeze()",
        "*s",
        lambda a: (tuple(n for n in a if n != 1),),
        lambda a: [{}],
    ),
    # PyTorch's slices have no negative steps.
    _reordering(
        "slice_backwards",
        "a.index_select(axis, "
        "torch.arange(a.shape[axis]).flip(0)"
        "[None if start is None else -1 - start : None if stop is None else -1 - stop : -step])",
        "+s",
        indexing.slice_backwards,
        indexing.slice_backwards_choices,
        {"axis": AXIS, "start": OPTIONAL_INTEGER, "stop": OPTIONAL_INTEGER, "step": INTEGER},
    ),
    _moving("squeeze", "a.squeeze(axis)", "*s 1", sh.squeeze, sh.squeeze_choices, {"axis": AXIS}),
    _moving(
        "expand_dims", "a.unsqueeze(axis)", "*s 1", sh.expand_dims, sh.stack_choices, {"axis": AXIS}
    ),
    _reordering(
        "moveaxis",
        "torch.movedim(a, source, destination)",
        "+s",
        sh.moveaxis,
        sh.moveaxis_choices,
        {"destination": AXIS, "source": AXIS},
    ),
    _reordering(
        "flip", "torch.flip(a, axis)", "+s", sh.along_axis, sh.flip_choices, {"axis": AXES}
    ),
    _moving(
        "pad",
        "torch.nn.functional.pad(a, [n for pair in reversed(pad_width) for n in pair])",
        "+s",
        sh.pad,
        sh.pad_choices,
        {"pad_width": PAIRS},
        interval=lambda a, **attrs: iv.hull(a, (0.0, 0.0)),
    ),
    _spreading(
        "take_along_axis",
        "torch.take_along_dim(a, torch.tensor(indices), axis)",
        "+s",
        sh.take_along_axis,
        sh.take_along_axis_choices,
        {"axis": AXIS, "indices": NESTED_INTEGERS},
    ),
)
