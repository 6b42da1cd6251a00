"""Elements by index or mask, diagonals and triangles, segments; the rows are plain data."""

from __future__ import annotations

import functools

from parity.language.operation import Operation

#: Elements are only moved.
_moved = functools.partial(Operation, ulps=1.0)
_segments = functools.partial(_moved, operands="M *s", attributes={"groups": "GROUPS"})
#: With groups in any order.
_unsorted = functools.partial(_moved, operands="M *s", attributes={"groups": "UNSORTED_GROUPS"})
#: The rows of a group, and all groups.
_ROWS_OF = "a[torch.tensor(groups == k)]"
_ALL = "for k in range(max(groups) + 1)"

_CHOSEN = (
    _moved(
        "index_select",
        "torch.index_select(a, 0, torch.tensor(indices))",
        "m *s",
        attributes={"indices": "ROWS"},
    ),
    _moved("get_rows", "a[torch.tensor(indices)]", "m *s", attributes={"indices": "ROWS"}),
    _moved(
        "get_pairs",
        "a[torch.tensor(indices), torch.tensor(indices)]",
        "n n *s",
        attributes={"indices": "ROWS"},
    ),
    _moved("get_columns", "a[:, torch.tensor(indices)]", "n n *s", attributes={"indices": "ROWS"}),
    _moved(
        "gather",
        "torch.gather(a, 1, torch.tensor(indices))",
        "m n",
        attributes={"indices": "COLUMNS"},
    ),
    _moved(
        "take", "torch.take(a, torch.tensor(indices))", "m n", attributes={"indices": "COLUMNS"}
    ),
    _moved(
        "take_labels",
        "torch.gather(a, 1, torch.tensor(labels)[:, None])[:, 0]",
        "m n",
        attributes={"labels": "LABELS"},
    ),
    _moved(
        "embedding",
        "F.embedding(torch.tensor(indices), a)",
        "n n",
        attributes={"indices": "COLUMNS"},
    ),
    _moved(
        "embedding_bag",
        "F.embedding_bag(torch.tensor(indices)[None], a, mode=mode)",
        "m n",
        attributes={"indices": "ROWS", "mode": ("sum", "mean", "max")},
        kinks="ties",
    ),
    _moved(
        "embedding_bag_weighted",
        "F.embedding_bag(torch.tensor(indices)[None], a, mode='sum', "
        "per_sample_weights=b[None, : len(indices)])",
        "m n, 5",
        attributes={"indices": "ROWS"},
    ),
    _moved(
        "masked_select",
        "torch.masked_select(a, torch.tensor(mask))",
        "+s",
        attributes={"mask": "MASK"},
    ),
    _moved(
        "select",
        "torch.select(a, axis, index)",
        "+s",
        attributes={"axis": "AXIS", "index": (0, -1)},
    ),
    _moved(
        "narrow",
        "torch.narrow(a, 0, start, length)",
        "M *s",
        attributes={"start": (1, 0), "length": (1, 2)},
    ),
    _moved("strided_slice", "a[start::step]", "M *s", attributes={"start": (1, 0), "step": (2, 3)}),
    _moved(
        "as_strided",
        "torch.as_strided(a, (2, 2), stride)",
        "M",
        attributes={"stride": ((1, 1), (1, 0), (0, 1))},
    ),
    _moved(
        "sliding_windows",
        "a.unfold(0, size, step)",
        "M *s",
        attributes={"size": (2, 3), "step": (1, 2)},
    ),
    _moved(
        "multiplex",
        "torch.where(torch.tensor(labels)[:, None] == 0, a, b)",
        "m 2, m 2",
        attributes={"labels": "LABELS"},
    ),
)

_DIAGONALS = (
    _moved("diagonal", "torch.diagonal(a, offset)", "m n", attributes={"offset": (0, 1, -1)}),
    _moved(
        "diagonal_of_axes",
        "torch.diagonal(a, offset, 0, 2)",
        "M n N",
        attributes={"offset": (0, 1, -1)},
    ),
    _moved("diag", "torch.diag(a, diagonal)", "m", attributes={"diagonal": (0, 1, -1)}),
    _moved("diag_embed", "torch.diag_embed(a, offset)", "+s", attributes={"offset": (0, 1, -1)}),
    _moved("diagflat", "torch.diagflat(a, offset)", "m n", attributes={"offset": (0, 1, -1)}),
    _moved("tril", "torch.tril(a, diagonal)", "*s m n", attributes={"diagonal": (0, 1, -1)}),
    _moved("triu", "torch.triu(a, diagonal)", "*s m n", attributes={"diagonal": (0, 1, -1)}),
    _moved(
        "band_part",
        "torch.triu(torch.tril(a, upper), -lower)",
        "*s M N",
        attributes={"lower": (0, 1), "upper": (1, 0)},
    ),
    _moved("trace", "torch.trace(a)", "m n"),
)

_SEGMENTS = (
    _segments("segment_sum", f"torch.stack([{_ROWS_OF}.sum(0) {_ALL}])"),
    _segments("segment_mean", f"torch.stack([{_ROWS_OF}.mean(0) {_ALL}])"),
    _segments("segment_max", f"torch.stack([{_ROWS_OF}.amax(0) {_ALL}])", kinks="ties"),
    _segments("segment_min", f"torch.stack([{_ROWS_OF}.amin(0) {_ALL}])", kinks="ties"),
    _segments("segment_prod", f"torch.stack([{_ROWS_OF}.prod(0) {_ALL}])"),
    _unsorted("unsorted_segment_sum", f"torch.stack([{_ROWS_OF}.sum(0) {_ALL}])"),
    _unsorted("unsorted_segment_mean", f"torch.stack([{_ROWS_OF}.mean(0) {_ALL}])"),
    _unsorted("unsorted_segment_max", f"torch.stack([{_ROWS_OF}.amax(0) {_ALL}])", kinks="ties"),
    _unsorted("unsorted_segment_min", f"torch.stack([{_ROWS_OF}.amin(0) {_ALL}])", kinks="ties"),
    _unsorted("unsorted_segment_prod", f"torch.stack([{_ROWS_OF}.prod(0) {_ALL}])"),
    _moved(
        "segment_reduce",
        "torch.segment_reduce(a, reduce, lengths=torch.tensor([1, len(a) - 1]), axis=0)",
        "M *s",
        attributes={"reduce": ("sum", "mean", "max", "min", "prod")},
        kinks="ties",
    ),
)

ROWS: tuple[Operation, ...] = (*_CHOSEN, *_DIAGONALS, *_SEGMENTS)
