"""Operations that move elements, or choose some: shapes, indices, joining and splitting."""

from __future__ import annotations

import functools

from parity.language import dyadic as dy
from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import AXES, AXIS, INDEX, INTEGERS, LENGTHS, NESTED_INTEGERS, PAIRS
from parity.language.operation import Operation

#: After the expression of PyTorch come the rule of shapes, the choices of attributes, their kinds.
_moving = functools.partial(Operation, dyadic=dy.MOVES, rounded=True)
_reordering = functools.partial(_moving, reorders=True)
_spreading = functools.partial(_moving, spreads=True)

BASIC: tuple[Operation, ...] = (
    _moving("reshape", 1, "a.reshape(shape)", sh.reshape, sh.reshape_choices, {"shape": LENGTHS}),
    _reordering(
        "transpose", 1, "a.permute(axes)", sh.transpose, sh.transpose_choices, {"axes": INTEGERS}
    ),
    _spreading(
        "broadcast_to",
        1,
        "a.broadcast_to(shape)",
        sh.broadcast_to,
        sh.broadcast_to_choices,
        {"shape": LENGTHS},
    ),
    Operation(
        "sum_to",
        1,
        "a.sum_to_size(shape).clone()",  # without clone it may return `a` itself
        sh.sum_to,
        sh.sum_to_choices,
        {"shape": LENGTHS},
        interval=iv.total,
        dyadic=dy.TOTALS,
        sums=True,
    ),
    _spreading("get_item", 1, "a[index]", sh.get_item, sh.get_item_choices, {"index": INDEX}),
    _reordering(
        "concat", 0, "torch.cat(xs, dim=axis)", sh.concat, sh.concat_choices, {"axis": AXIS}
    ),
    _moving(
        "split",
        1,
        "torch.split(a, sizes, dim=axis)",
        sh.split,
        sh.split_choices,
        {"axis": AXIS, "sizes": LENGTHS},
    ),
)

FURTHER: tuple[Operation, ...] = (
    _reordering(
        "stack", 0, "torch.stack(xs, dim=axis)", sh.stack, sh.stack_choices, {"axis": AXIS}
    ),
    _moving("squeeze", 1, "a.squeeze(axis)", sh.squeeze, sh.squeeze_choices, {"axis": AXIS}),
    _moving(
        "expand_dims", 1, "a.unsqueeze(axis)", sh.expand_dims, sh.stack_choices, {"axis": AXIS}
    ),
    _reordering(
        "moveaxis",
        1,
        "torch.movedim(a, source, destination)",
        sh.moveaxis,
        sh.moveaxis_choices,
        {"destination": AXIS, "source": AXIS},
    ),
    _reordering("flip", 1, "torch.flip(a, axis)", sh.along_axis, sh.flip_choices, {"axis": AXES}),
    _moving(
        "pad",
        1,
        "torch.nn.functional.pad(a, [n for pair in reversed(pad_width) for n in pair])",
        sh.pad,
        sh.pad_choices,
        {"pad_width": PAIRS},
        interval=lambda a, **attrs: iv.hull(a, (0.0, 0.0)),
    ),
    _spreading(
        "take_along_axis",
        1,
        "torch.take_along_dim(a, torch.tensor(indices), axis)",
        sh.take_along_axis,
        sh.take_along_axis_choices,
        {"axis": AXIS, "indices": NESTED_INTEGERS},
    ),
)
