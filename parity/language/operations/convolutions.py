"""Convolutions, transposed convolutions, and the windows that they are made of."""

from __future__ import annotations

from parity.language.operation import Operation

_WINDOWS = {"stride": (1, 2, 3), "padding": (0, 1), "dilation": (1, 2)}
_NAMED = {"padding": ("valid", "same"), "dilation": (1, 2)}
_TRANSPOSED = {
    "stride": (1, 2, 3),
    "padding": (0, 1),
    "output_padding": (0, 1, 2),
    "dilation": (1, 2),
}
_SLIDING = "stride=stride, padding=padding, dilation=dilation"
_ENLARGING = "stride=stride, padding=padding, output_padding=output_padding, dilation=dilation"

_CONVOLUTIONS: tuple[Operation, ...] = (
    Operation("conv1d", f"F.conv1d(a, b, {_SLIDING})", "b c 7, o c k", attributes=_WINDOWS),
    Operation("conv2d", f"F.conv2d(a, b, {_SLIDING})", "b c 6 7, o c k l", attributes=_WINDOWS),
    Operation("conv3d", f"F.conv3d(a, b, {_SLIDING})", "b c 4 3 5, o c 2 k l", attributes=_WINDOWS),
    Operation(
        "conv1d_bias", f"F.conv1d(a, b, c, {_SLIDING})", "m n 7, o n k, o", attributes=_WINDOWS
    ),
    Operation(
        "conv2d_bias", f"F.conv2d(a, b, c, {_SLIDING})", "m n 6 7, o n k l, o", attributes=_WINDOWS
    ),
    Operation(
        "conv2d_without_batch", f"F.conv2d(a, b, {_SLIDING})", "c 6 7, o c k l", attributes=_WINDOWS
    ),
    Operation(
        "conv1d_named_padding",
        "F.conv1d(a, b, padding=padding, dilation=dilation)",
        "b c 7, o c k",
        attributes=_NAMED,
    ),
    Operation(
        "conv2d_named_padding",
        "F.conv2d(a, b, padding=padding, dilation=dilation)",
        "b c 6 7, o c k l",
        attributes=_NAMED,
    ),
    Operation(
        "conv2d_of_pairs",
        f"F.conv2d(a, b, {_SLIDING})",
        "b c 6 7, o c k l",
        attributes={
            "stride": ((1, 2), (2, 1), (3, 1)),
            "padding": ((0, 1), (1, 0), (2, 1)),
            "dilation": ((1, 1), (1, 2), (2, 1)),
        },
    ),
    Operation(
        "conv1d_groups",
        f"F.conv1d(a, b, {_SLIDING}, groups=2)",
        "b 4 7, 2 2 k",
        attributes=_WINDOWS,
    ),
    Operation(
        "conv2d_groups",
        f"F.conv2d(a, b, {_SLIDING}, groups=2)",
        "b 4 6 5, 6 2 k l",
        attributes=_WINDOWS,
    ),
    Operation(
        "conv2d_depthwise",
        f"F.conv2d(a, b, {_SLIDING}, groups=a.shape[1])",
        "m n 5 6, n 1 k l",
        attributes=_WINDOWS,
    ),
    Operation(
        "conv2d_depthwise_multiplied",
        f"F.conv2d(a, b, {_SLIDING}, groups=2)",
        "m 2 5 6, 6 1 k l",
        attributes=_WINDOWS,
    ),
    Operation(
        "conv3d_groups",
        f"F.conv3d(a, b, {_SLIDING}, groups=2)",
        "b 4 3 4 3, 2 2 2 k l",
        attributes=_WINDOWS,
    ),
    Operation(
        "convolve",  # as numpy.convolve with mode="full"
        "F.conv1d(a[None, None], b.flip(0)[None, None], padding=b.shape[0] - 1)[0, 0]",
        "M, k",
    ),
    Operation(
        "conv_over_time",
        "torch.conv_tbc(a, b, c, pad)",
        "5 m n, k n o, o",
        attributes={"pad": (0, 1)},
    ),
)

_TRANSPOSES: tuple[Operation, ...] = (
    Operation(
        "conv_transpose1d",
        f"F.conv_transpose1d(a, b, {_ENLARGING})",
        "b c M, c o k",
        attributes=_TRANSPOSED,
    ),
    Operation(
        "conv_transpose2d",
        f"F.conv_transpose2d(a, b, {_ENLARGING})",
        "b c M N, c o k l",
        attributes=_TRANSPOSED,
    ),
    Operation(
        "conv_transpose3d",
        f"F.conv_transpose3d(a, b, {_ENLARGING})",
        "b c 3 2 3, c o 2 k l",
        attributes=_TRANSPOSED,
    ),
    Operation(
        "conv_transpose1d_bias",
        f"F.conv_transpose1d(a, b, c, {_ENLARGING})",
        "m n M, n o k, o",
        attributes=_TRANSPOSED,
    ),
    Operation(
        "conv_transpose2d_bias",
        f"F.conv_transpose2d(a, b, c, {_ENLARGING})",
        "m n M N, n o k l, o",
        attributes=_TRANSPOSED,
    ),
    Operation(
        "conv_transpose1d_groups",
        f"F.conv_transpose1d(a, b, {_ENLARGING}, groups=2)",
        "b 4 M, 4 o k",
        attributes=_TRANSPOSED,
    ),
    Operation(
        "conv_transpose2d_groups",
        f"F.conv_transpose2d(a, b, {_ENLARGING}, groups=2)",
        "b 4 3 M, 4 o k l",
        attributes=_TRANSPOSED,
    ),
    Operation(
        "conv_transpose2d_depthwise",
        f"F.conv_transpose2d(a, b, {_ENLARGING}, groups=a.shape[1])",
        "m n 3 M, n 1 k l",
        attributes=_TRANSPOSED,
    ),
    Operation(
        "conv_transpose2d_of_pairs",
        f"F.conv_transpose2d(a, b, {_ENLARGING})",
        "b c M N, c o k l",
        attributes={
            "stride": ((1, 2), (2, 1), (2, 3)),
            "padding": ((0, 0), (0, 1), (1, 0)),
            "output_padding": ((0, 0), (0, 1), (1, 0)),
            "dilation": ((1, 1), (1, 2), (2, 1)),
        },
    ),
)

_UNFOLDING: tuple[Operation, ...] = (
    Operation(
        "unfold",
        "F.unfold(a, kernel_size, dilation=dilation, padding=padding, stride=stride)",
        "b c 5 6",
        attributes={"kernel_size": ((2, 3), (1, 2), (3, 3)), **_WINDOWS},
        ulps=1.0,
    ),
    Operation(
        "fold",
        "F.fold(a, output_size, (2, 2), dilation=dilation)",
        "b 8 6",
        attributes={"output_size": ((3, 4), (4, 3), (2, 7)), "dilation": (1,)},
    ),
    Operation(
        "fold_of_unfold",
        "F.fold(F.unfold(a, kernel_size, dilation, padding, stride), (5, 6), kernel_size, "
        "dilation, padding, stride)",
        "b c 5 6",
        attributes={"kernel_size": ((2, 3), (1, 2), (3, 3)), **_WINDOWS},
    ),
)

ROWS: tuple[Operation, ...] = (*_CONVOLUTIONS, *_TRANSPOSES, *_UNFOLDING)
