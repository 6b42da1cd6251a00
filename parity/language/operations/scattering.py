"""Arrays of which some elements are replaced, or others are added to; the rows are plain data."""

from __future__ import annotations

import functools

from parity.language.operation import Operation

_moved = functools.partial(Operation, ulps=1.0)


def _scatter(name: str, reduce: str, kinks: str = "") -> Operation:
    """Elements of ``b`` reduced, along axis 1, into those of ``a`` that an index names."""
    return Operation(
        name,
        f"torch.scatter_reduce(a, 1, torch.tensor(indices), b, '{reduce}', "
        "include_self=include_self)",
        "m n, m k",
        attributes={"indices": "COLUMNS", "include_self": (True, False)},
        kinks=kinks,
    )


def _index_reduce(name: str, reduce: str, kinks: str = "") -> Operation:
    """Rows of ``b`` reduced into those of ``a`` that an index names."""
    return Operation(
        name,
        "torch.scatter_reduce(a, 0, torch.tensor(indices)[:, None].expand(-1, a.shape[1]), "
        f"b[: len(indices)], '{reduce}', include_self=include_self)",
        "m n, 5 n",
        attributes={"indices": "ROWS", "include_self": (True, False)},
        kinks=kinks,
    )


_ALONG_AN_AXIS = (
    _scatter("scatter_sum", "sum"),
    _scatter("scatter_prod", "prod"),
    _scatter("scatter_mean", "mean"),
    _scatter("scatter_amax", "amax", kinks="ties"),
    _scatter("scatter_amin", "amin", kinks="ties"),
    _moved(
        "scatter",
        "torch.scatter(a, 1, torch.tensor(indices), b)",
        "m N, m k",
        attributes={"indices": "DISTINCT_COLUMNS"},
    ),
    _moved(
        "scatter_value",
        "torch.scatter(a, 1, torch.tensor(indices), value)",
        "m n",
        attributes={"indices": "COLUMNS", "value": (0.5, 0.0)},
    ),
    _moved(
        "scatter_add",
        "torch.scatter_add(a, 1, torch.tensor(indices), b)",
        "m n, m k",
        attributes={"indices": "COLUMNS"},
    ),
    _moved(
        "scatter_add_to_zeros",
        "torch.scatter_add(torch.zeros_like(a), 1, torch.tensor(indices), b) * a",
        "m n, m k",
        attributes={"indices": "COLUMNS"},
    ),
)

_ROWS_OF_AN_ARRAY = (
    _moved(
        "index_add",
        "torch.index_add(a, 0, torch.tensor(indices), b[: len(indices)], alpha=alpha)",
        "m n, 5 n",
        attributes={"indices": "ROWS", "alpha": (1, -1, 2)},
    ),
    _index_reduce("index_prod", "prod"),
    _index_reduce("index_mean", "mean"),
    _index_reduce("index_amax", "amax", kinks="ties"),
    _index_reduce("index_amin", "amin", kinks="ties"),
    _moved(
        "index_copy",
        "torch.index_copy(a, 0, torch.tensor(indices), b[: len(indices)])",
        "m n, 5 n",
        attributes={"indices": "DISTINCT_ROWS"},
    ),
    _moved(
        "index_fill",
        "torch.index_fill(a, 0, torch.tensor(indices) % len(a), b)",
        "m n, ",
        attributes={"indices": "ROWS"},
    ),
    _moved(
        "index_put",
        "torch.index_put(a, (torch.tensor(indices),), b[: len(indices)], accumulate)",
        "m n, 5 n",
        attributes={"indices": "DISTINCT_ROWS", "accumulate": "FLAG"},
    ),
    _moved(
        "index_put_add",
        "torch.index_put(a, (torch.tensor(indices),), b[: len(indices)], True)",
        "m n, 5 n",
        attributes={"indices": "ROWS"},
    ),
    _moved(
        "index_put_pairs",
        "torch.index_put(a, (torch.tensor(indices), torch.tensor(indices)), b, accumulate)",
        "n n, 1",
        attributes={"indices": "DISTINCT_ROWS", "accumulate": "FLAG"},
    ),
    _moved(
        "index_put_scalar",
        "torch.index_put(a, (torch.tensor(indices),), b)",
        "m, 1",
        attributes={"indices": "DISTINCT_ROWS"},
    ),
    _moved(
        "index_divide",
        "a / torch.scatter_reduce(torch.ones_like(a), 0, "
        "torch.tensor(indices)[:, None].expand(-1, a.shape[1]), b[: len(indices)], 'prod')",
        "m n, 5 n",
        domain="R, Z",
        attributes={"indices": "ROWS"},
        ulps=8,
    ),
    _moved(
        "put",
        "torch.put(a, torch.tensor(indices), b[: len(indices)], accumulate=True)",
        "m n, 5",
        attributes={"indices": "ROWS"},
    ),
)

_MASKED = (
    _moved(
        "masked_fill",
        "torch.masked_fill(a, torch.tensor(mask), b)",
        "*s, ",
        attributes={"mask": "MASK"},
    ),
    _moved(
        "masked_fill_value",
        "torch.masked_fill(a, torch.tensor(mask), value)",
        attributes={"mask": "MASK", "value": (0.0, -2.0)},
    ),
    _moved(
        "masked_scatter",
        "torch.masked_scatter(a, torch.tensor(mask), b)",
        "m n, 4 4",
        attributes={"mask": "MASK"},
    ),
    _moved(
        "index_put_mask",
        "torch.index_put(a, (torch.tensor(mask),), b)",
        "m n, 1",
        attributes={"mask": "MASK"},
    ),
)

_PARTS = (
    _moved("set_slice", "torch.slice_scatter(a, b.expand_as(a[1:]), 0, 1)", "M n, n"),
    _moved(
        "set_slice_with_step",
        "torch.slice_scatter(a, b.expand_as(a[start::2]), 0, start, None, 2)",
        "M n, ",
        attributes={"start": (0, 1)},
    ),
    _moved(
        "slice_scatter",
        "torch.slice_scatter(a, b, 0, start, start + 1)",
        "M n, 1 n",
        attributes={"start": (0, 1)},
    ),
    _moved(
        "select_scatter",
        "torch.select_scatter(a, b, 0, index)",
        "m n, n",
        attributes={"index": (0, -1)},
    ),
    _moved("diagonal_scatter", "torch.diagonal_scatter(a, b)", "n n, n"),
    _moved(
        "fill_diagonal",
        "torch.diagonal_scatter(a, torch.full_like(torch.diagonal(a), value))",
        "m n",
        attributes={"value": (0.5, 0.0)},
    ),
)

ROWS: tuple[Operation, ...] = (*_ALONG_AN_AXIS, *_ROWS_OF_AN_ARRAY, *_MASKED, *_PARTS)
