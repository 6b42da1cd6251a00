"""Arrays rearranged, joined, split, repeated and padded; the rows are plain data."""

from __future__ import annotations

import functools

from parity.language.operation import Operation

#: Elements are only moved.
_moved = functools.partial(Operation, ulps=1.0)

_SHAPES = (
    _moved(
        "flatten", "torch.flatten(a, start_dim).clone()", "+s", attributes={"start_dim": (0, -1)}
    ),
    _moved(
        "unflatten", "torch.unflatten(a, 0, sizes)", "4 *s", attributes={"sizes": ((2, 2), (-1, 1))}
    ),
    _moved("squeeze_all", "torch.squeeze(a)", "m 1 n"),
    _moved("atleast_3d", "torch.atleast_3d(a).clone()"),
    _moved("swapaxes", "torch.swapaxes(a, axis, 0)", "+s", attributes={"axis": "AXIS"}),
    _moved("expand", "a.expand(2, *a.shape)"),
    _moved("view_transposed", "torch.transpose(a, 0, 1).reshape(-1)", "m n *s"),
)

_ORDERS = (
    _moved(
        "roll", "torch.roll(a, shifts, axis)", "+s", attributes={"shifts": "SHIFT", "axis": "AXIS"}
    ),
    _moved("roll_flat", "torch.roll(a, shifts)", "+s", attributes={"shifts": "SHIFT"}),
    _moved(
        "roll_both", "torch.roll(a, (shifts, 1), (0, 1))", "m n", attributes={"shifts": "SHIFT"}
    ),
    _moved("rot90", "torch.rot90(a, k)", "m n *s", attributes={"k": (1, 2, -1, 3, 0)}),
    _moved("flip_all", "torch.flip(a, tuple(range(a.ndim)))", "+s"),
    _moved(
        "reverse_sequence",
        "torch.stack([torch.cat([r[: k + 1].flip(0), r[k + 1 :]]) for r, k in zip(a, last)])",
        "m n",
        attributes={"last": "LABELS"},
    ),
)

_REPEATED = (
    _moved(
        "tile",
        "torch.tile(a, dims)",
        "m n",
        attributes={"dims": ((2, 1), (1, 3), (2, 2), (2, 1, 1), (3,))},
    ),
    _moved(
        "repeat_interleave",
        "torch.repeat_interleave(a, repeats, dim=axis)",
        "+s",
        attributes={"repeats": (2, 3, 1), "axis": "AXIS"},
    ),
    _moved(
        "repeat_counts",
        "torch.repeat_interleave(a, torch.tensor(repeats), dim=0)",
        "m n",
        attributes={"repeats": "COUNTS"},
    ),
    _moved(
        "meshgrid",
        "tuple(torch.meshgrid(a, b, indexing=indexing))",
        "m, n",
        attributes={"indexing": ("ij", "xy")},
        separate=True,
    ),
    _moved("block_diag", "torch.block_diag(a, b)", "m n, k l"),
    _moved("cartesian_prod", "torch.cartesian_prod(a, b)", "m, n"),
    _moved(
        "combinations",
        "torch.combinations(a, r, with_replacement)",
        "M",
        attributes={"r": (2, 3, 1), "with_replacement": "FLAG"},
    ),
    Operation(
        "vander",
        "torch.stack([a**k for k in (range(N) if increasing else reversed(range(N)))], 1)",
        "m",
        attributes={"N": (3, 2, 1, 4), "increasing": "FLAG"},
    ),
)

_JOINED = (
    _moved("concat_itself", "torch.cat([a, b, a], 0)", "m n, k n"),
    _moved("stack_itself", "torch.stack([a, b, a], axis)", "+s, +s", attributes={"axis": "AXIS"}),
    _moved("hstack", "torch.hstack(xs)", "m n, ..."),
    _moved("vstack", "torch.vstack(xs)", "n, ..."),
    _moved("dstack", "torch.dstack(xs)", "m n, ..."),
    _moved("column_stack", "torch.column_stack(xs)", "m, ..."),
    _moved("dynamic_stitch", "torch.cat([a[:1], b[:2]])", "M n, M n"),
)

_SPLIT = (
    _moved("unbind", "torch.unbind(a, axis)", "+s", attributes={"axis": "AXIS"}),
    _moved(
        "tensor_split",
        "torch.tensor_split(a, sections)",
        "M *s",
        attributes={"sections": (2, 3, 1)},
    ),
    _moved(
        "chunk",
        "torch.chunk(a, chunks, axis)",
        "M N",
        attributes={"chunks": (2, 1, 3), "axis": "AXIS"},
    ),
    _moved("split_first", "torch.split(a, 2)[0]", "M *s"),
    _moved("hsplit", "torch.hsplit(a, (1, 2))", "m N"),
)

_PADDED = (
    _moved(
        "pad_constant",
        "F.pad(a, pad, value=value)",
        "m N",
        attributes={"pad": ((1, 2), (0, 1, 2, 0), (-1, 1)), "value": (0.0, 1.0)},
    ),
    _moved(
        "pad_reflect",
        "F.pad(a, pad, 'reflect')",
        "b c M",
        attributes={"pad": ((1, 2), (0, 1), (2, 0))},
    ),
    _moved(
        "pad_replicate",
        "F.pad(a, pad, 'replicate')",
        "b c M",
        attributes={"pad": ((1, 2), (0, 1), (3, 0))},
    ),
    _moved(
        "pad_circular",
        "F.pad(a, pad, 'circular')",
        "b c M",
        attributes={"pad": ((1, 2), (0, 1), (3, 0))},
    ),
    _moved("pad_symmetric", "torch.cat([a[:2].flip(0), a, a[-1:]])", "M *s"),
    _moved(
        "pad_reflect_images",
        "F.pad(a, pad, 'reflect')",
        "b c M N",
        attributes={"pad": ((1, 2, 1, 0), (0, 1, 2, 2))},
    ),
    _moved(
        "pad_replicate_images",
        "F.pad(a, pad, 'replicate')",
        "b c M N",
        attributes={"pad": ((1, 2, 1, 0), (0, 3, 2, 2))},
    ),
    _moved(
        "pad_circular_images",
        "F.pad(a, pad, 'circular')",
        "b c M N",
        attributes={"pad": ((1, 2, 1, 0), (0, 1, 2, 2))},
    ),
    _moved(
        "pad_replicate_volumes",
        "F.pad(a, pad, 'replicate')",
        "1 c 2 M n",
        attributes={"pad": ((1, 0, 1, 2, 0, 1), (0, 1, 0, 0, 2, 0))},
    ),
    _moved(
        "pad_reflect_volumes",
        "F.pad(a, pad, 'reflect')",
        "1 c 2 M 2",
        attributes={"pad": ((1, 0, 1, 2, 0, 1), (0, 1, 0, 0, 1, 0))},
    ),
)

ROWS: tuple[Operation, ...] = (*_SHAPES, *_ORDERS, *_REPEATED, *_JOINED, *_SPLIT, *_PADDED)
