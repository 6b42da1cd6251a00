"""Pooling: the largest, the mean or a norm of windows."""

from __future__ import annotations

from parity.language.operation import Operation

_WINDOWS = {"kernel_size": (2, 3), "stride": (1, 2, 3), "padding": (0, 1)}
_PAIRS = {
    "kernel_size": ((2, 3), (1, 2), (3, 1)),
    "stride": ((1, 2), (2, 1)),
    "padding": ((0, 0), (0, 1)),
}
_LARGEST = {**_WINDOWS, "dilation": (1, 2), "ceil_mode": "FLAG"}
_MEAN = {**_WINDOWS, "ceil_mode": "FLAG", "count_include_pad": "FLAG"}
_SLIDING = "kernel_size, stride, padding"
_TIES = "ties"

_MAXIMA: tuple[Operation, ...] = (
    Operation(
        "max_pool1d",
        f"F.max_pool1d(a, {_SLIDING}, dilation, ceil_mode)",
        "b c 7",
        attributes=_LARGEST,
        kinks=_TIES,
        ulps=1.0,
    ),
    Operation(
        "max_pool2d",
        f"F.max_pool2d(a, {_SLIDING}, dilation, ceil_mode)",
        "b c 6 5",
        attributes=_LARGEST,
        kinks=_TIES,
        ulps=1.0,
    ),
    Operation(
        "max_pool3d",
        f"F.max_pool3d(a, {_SLIDING}, dilation, ceil_mode)",
        "b c 3 4 3",
        attributes=_LARGEST,
        kinks=_TIES,
        ulps=1.0,
    ),
    Operation(
        "max_pool2d_of_pairs",
        f"F.max_pool2d(a, {_SLIDING})",
        "b c 6 5",
        attributes=_PAIRS,
        kinks=_TIES,
        ulps=1.0,
    ),
    Operation(
        "max_unpool1d",
        "F.max_unpool1d(*F.max_pool1d(a, 2, 2, return_indices=True), 2, 2)",
        "b c 6",
        kinks=_TIES,
        smooth=False,
        ulps=1.0,
    ),
    Operation(
        "max_unpool2d",
        "F.max_unpool2d(*F.max_pool2d(a, kernel_size, return_indices=True), kernel_size)",
        "b c 6 6",
        attributes={"kernel_size": (2, 3)},
        kinks=_TIES,
        smooth=False,
        ulps=1.0,
    ),
    Operation(
        "max_unpool3d",
        "F.max_unpool3d(*F.max_pool3d(a, 2, 2, return_indices=True), 2, 2)",
        "b c 2 4 2",
        kinks=_TIES,
        smooth=False,
        ulps=1.0,
    ),
    Operation(
        "adaptive_max_pool1d",
        "F.adaptive_max_pool1d(a, output_size)",
        "b c 7",
        attributes={"output_size": (3, 1, 2, 5, 7)},
        kinks=_TIES,
        ulps=1.0,
    ),
    Operation(
        "adaptive_max_pool2d",
        "F.adaptive_max_pool2d(a, output_size)",
        "b c 5 7",
        attributes={"output_size": ((3, 2), (1, 1), (2, 5), (5, 7))},
        kinks=_TIES,
        ulps=1.0,
    ),
    Operation(
        "adaptive_max_pool3d",
        "F.adaptive_max_pool3d(a, output_size)",
        "b c 3 4 3",
        attributes={"output_size": ((2, 3, 2), (1, 1, 1), (3, 2, 1))},
        kinks=_TIES,
        ulps=1.0,
    ),
    Operation(
        "fractional_max_pool2d",
        "F.fractional_max_pool2d(a, 2, output_size=output_size, _random_samples="
        "torch.full((a.shape[0], a.shape[1], 2), position, dtype=a.dtype))",
        "b c 6 5",
        attributes={"output_size": ((3, 2), (4, 3), (2, 4)), "position": (0.5, 0.125, 0.875)},
        kinks=_TIES,
        ulps=1.0,
    ),
)

_MEANS: tuple[Operation, ...] = (
    Operation(
        "avg_pool1d",
        f"F.avg_pool1d(a, {_SLIDING}, ceil_mode, count_include_pad)",
        "b c 7",
        attributes=_MEAN,
    ),
    Operation(
        "avg_pool2d",
        f"F.avg_pool2d(a, {_SLIDING}, ceil_mode, count_include_pad)",
        "b c 6 5",
        attributes=_MEAN,
    ),
    Operation(
        "avg_pool3d",
        f"F.avg_pool3d(a, {_SLIDING}, ceil_mode, count_include_pad)",
        "b c 3 4 3",
        attributes=_MEAN,
    ),
    Operation(
        "avg_pool2d_of_pairs",
        f"F.avg_pool2d(a, {_SLIDING}, count_include_pad=count_include_pad)",
        "b c 6 5",
        attributes={**_PAIRS, "count_include_pad": "FLAG"},
    ),
    Operation(
        "avg_pool2d_divisor",
        f"F.avg_pool2d(a, {_SLIDING}, divisor_override=divisor_override)",
        "b c 6 5",
        attributes={**_WINDOWS, "divisor_override": (3, 1)},
    ),
    Operation(
        "adaptive_avg_pool1d",
        "F.adaptive_avg_pool1d(a, output_size)",
        "b c 7",
        attributes={"output_size": (3, 1, 2, 5, 7)},
    ),
    Operation(
        "adaptive_avg_pool2d",
        "F.adaptive_avg_pool2d(a, output_size)",
        "b c 5 7",
        attributes={"output_size": ((3, 2), (1, 1), (2, 5), (5, 7))},
    ),
    Operation(
        "adaptive_avg_pool3d",
        "F.adaptive_avg_pool3d(a, output_size)",
        "b c 3 4 3",
        attributes={"output_size": ((2, 3, 2), (1, 1, 1), (3, 2, 1))},
    ),
    # Without ceil_mode: PyTorch 2.13 then scales a last window that is cut off.
    Operation(
        "lp_pool1d",
        "F.lp_pool1d(a, norm_type, kernel_size, stride)",
        "b c 6",
        domain="P",
        attributes={
            "norm_type": (2.0, 3.0, 1.0),
            "kernel_size": (2, 3),
            "stride": (None, 1, 2),
        },
        ulps=16.0,
    ),
    Operation(
        "lp_pool2d",
        "F.lp_pool2d(a, norm_type, kernel_size, stride)",
        "b c 4 5",
        domain="P",
        attributes={
            "norm_type": (2.0, 3.0, 1.0),
            "kernel_size": (2, (1, 3)),
            "stride": (None, 1, 2),
        },
        ulps=16.0,
    ),
)

ROWS: tuple[Operation, ...] = (*_MAXIMA, *_MEANS)
