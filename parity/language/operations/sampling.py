"""Values between the elements of images, and images whose elements are moved to other axes."""

from __future__ import annotations

from parity.language.operation import Operation

_SIZES = {"size": ((7, 3), (2, 9), (4, 5), (1, 1)), "align_corners": "FLAG"}
_FACTORS = {"scale_factor": (2.0, 1.5, 0.5, (1.5, 0.75))}
_NEAREST = {"size": ((7, 3), (2, 9), (4, 5), (1, 1)), "mode": ("nearest", "nearest-exact")}
_GRID = {"padding_mode": ("zeros", "border", "reflection"), "align_corners": "FLAG"}
_PLACES = "borders of pixels"

_RESIZED: tuple[Operation, ...] = (
    Operation(
        "interpolate_nearest",
        "F.interpolate(a, size=size, mode=mode)",
        "b c 4 5",
        attributes=_NEAREST,
        ulps=1.0,
    ),
    Operation(
        "interpolate_nearest_1d",
        "F.interpolate(a, size=size, mode=mode)",
        "b c 5",
        attributes={"size": (7, 3, 5, 1), "mode": ("nearest", "nearest-exact")},
        ulps=1.0,
    ),
    Operation(
        "interpolate_nearest_3d",
        "F.interpolate(a, size=size, mode=mode)",
        "b c 2 3 4",
        attributes={"size": ((3, 5, 2), (2, 2, 7)), "mode": ("nearest", "nearest-exact")},
        ulps=1.0,
    ),
    Operation(
        "interpolate_linear",
        "F.interpolate(a, size=size, mode='linear', align_corners=align_corners)",
        "b c 5",
        attributes={"size": (7, 3, 5, 1), "align_corners": "FLAG"},
    ),
    Operation(
        "interpolate_bilinear",
        "F.interpolate(a, size=size, mode='bilinear', align_corners=align_corners)",
        "b c 4 5",
        attributes=_SIZES,
    ),
    Operation(
        "interpolate_bicubic",
        "F.interpolate(a, size=size, mode='bicubic', align_corners=align_corners)",
        "b c 4 5",
        attributes=_SIZES,
        ulps=16.0,
    ),
    Operation(
        "interpolate_trilinear",
        "F.interpolate(a, size=size, mode='trilinear', align_corners=align_corners)",
        "b c 3 4 3",
        attributes={"size": ((4, 3, 5), (2, 5, 2), (1, 1, 1)), "align_corners": "FLAG"},
    ),
    Operation(
        "interpolate_area",
        "F.interpolate(a, size=size, mode='area')",
        "b c 4 5",
        attributes={"size": ((3, 2), (1, 1), (7, 3), (4, 5))},
    ),
    Operation(
        "interpolate_antialiased",
        "F.interpolate(a, size=size, mode=mode, align_corners=align_corners, antialias=True)",
        "b c 4 5",
        attributes={**_SIZES, "mode": ("bilinear", "bicubic")},
        ulps=16.0,
    ),
    Operation(
        "rescale_nearest",
        "F.interpolate(a, scale_factor=scale_factor, mode='nearest')",
        "b c 4 5",
        attributes=_FACTORS,
        ulps=1.0,
    ),
    Operation(
        "rescale_bilinear",
        "F.interpolate(a, scale_factor=scale_factor, mode='bilinear', "
        "align_corners=align_corners, recompute_scale_factor=recompute_scale_factor)",
        "b c 4 5",
        attributes={**_FACTORS, "align_corners": "FLAG", "recompute_scale_factor": "FLAG"},
    ),
    Operation(
        "rescale_bicubic",
        "F.interpolate(a, scale_factor=scale_factor, mode='bicubic', align_corners=align_corners)",
        "b c 4 5",
        attributes={**_FACTORS, "align_corners": "FLAG"},
        ulps=16.0,
    ),
)

_SAMPLED: tuple[Operation, ...] = (
    Operation(
        "grid_sample_bilinear",
        "F.grid_sample(a, b, 'bilinear', padding_mode, align_corners)",
        "m n 4 5, m 3 2 2",
        attributes=_GRID,
        kinks=_PLACES,
        ulps=16.0,
    ),
    Operation(
        "grid_sample_bicubic",
        "F.grid_sample(a, b, 'bicubic', padding_mode, align_corners)",
        "m n 4 5, m 3 2 2",
        attributes=_GRID,
        kinks=_PLACES,
        ulps=64.0,
    ),
    Operation(
        "grid_sample_nearest",
        "F.grid_sample(a, b, 'nearest', padding_mode, align_corners)",
        "m n 4 5, m 3 2 2",
        attributes=_GRID,
        kinks=_PLACES,
        smooth=False,
        ulps=1.0,
    ),
    Operation(
        "grid_sample_inside",
        "F.grid_sample(a, b, 'bilinear', padding_mode, align_corners)",
        "m n 4 5, m 3 2 2",
        domain="R, U",
        attributes=_GRID,
        kinks=_PLACES,
        ulps=16.0,
    ),
    Operation(
        "grid_sample_3d",
        "F.grid_sample(a, b, 'bilinear', padding_mode, align_corners)",
        "m n 3 2 4, m 2 1 2 3",
        attributes=_GRID,
        kinks=_PLACES,
        ulps=16.0,
    ),
    Operation(
        "affine_grid",
        "F.affine_grid(a, size, align_corners)",
        "2 2 3",
        attributes={"size": ((2, 1, 3, 4), (2, 2, 5, 2)), "align_corners": "FLAG"},
    ),
    Operation(
        "affine_grid_3d",
        "F.affine_grid(a, size, align_corners)",
        "2 3 4",
        attributes={"size": ((2, 1, 3, 4, 2), (2, 2, 2, 2, 3)), "align_corners": "FLAG"},
    ),
)

_MOVED: tuple[Operation, ...] = (
    Operation("pixel_shuffle", "F.pixel_shuffle(a, 2)", "*s 4 m n", ulps=1.0),
    Operation("pixel_shuffle_by_three", "F.pixel_shuffle(a, 3)", "b 18 m n", ulps=1.0),
    Operation(
        "pixel_unshuffle",
        "F.pixel_unshuffle(a, downscale_factor)",
        "*s m 6 6",
        attributes={"downscale_factor": (2, 3, 1)},
        ulps=1.0,
    ),
    Operation(
        "channel_shuffle",
        "F.channel_shuffle(a, groups)",
        "b 6 m n",
        attributes={"groups": (2, 3, 1, 6)},
        ulps=1.0,
    ),
    Operation(
        "temporal_shift",  # the first quarter of the channels forward in time, the second back
        "torch.cat([F.pad(a[:, :-1, :1], (0, 0, 0, 0, 0, 0, 1, 0)), "
        "F.pad(a[:, 1:, 1:2], (0, 0, 0, 0, 0, 0, 0, 1)), a[:, :, 2:]], 2)",
        "b M 4 m n",
        ulps=1.0,
    ),
)

ROWS: tuple[Operation, ...] = (*_RESIZED, *_SAMPLED, *_MOVED)
