"""Fourier transforms of real signals; real and imaginary parts are stacked, as a new axis."""

from __future__ import annotations

from parity.language.operation import Operation

_NORM = {"norm": ("backward", "ortho", "forward")}
_PARTS = "(lambda z: torch.stack([z.real, z.imag]))"

ROWS: tuple[Operation, ...] = (
    Operation(
        "rfft",
        f"{_PARTS}(torch.fft.rfft(a, n, norm=norm))",
        "*s M",
        attributes={"n": "LENGTH", **_NORM},
        ulps=16.0,
    ),
    Operation(
        "rfft_axis",
        f"{_PARTS}(torch.fft.rfft(a, dim=axis))",
        "+s",
        attributes={"axis": "AXIS"},
        ulps=16.0,
    ),
    Operation(
        "fft",
        f"{_PARTS}(torch.fft.fft(a, n, norm=norm))",
        "*s M",
        attributes={"n": "LENGTH", **_NORM},
        ulps=16.0,
    ),
    Operation(
        "fft_axis",
        f"{_PARTS}(torch.fft.fft(a, dim=axis))",
        "+s",
        attributes={"axis": "AXIS"},
        ulps=16.0,
    ),
    Operation(
        "ifft",
        f"{_PARTS}(torch.fft.ifft(a, n, norm=norm))",
        "*s M",
        attributes={"n": "LENGTH", **_NORM},
        ulps=16.0,
    ),
    Operation(
        "fft_of_complex",
        f"{_PARTS}(torch.fft.fft(torch.complex(a, b), n, norm=norm))",
        "*s M, *s M",
        attributes={"n": "LENGTH", **_NORM},
        ulps=16.0,
    ),
    Operation(
        "irfft",
        "torch.fft.irfft(torch.complex(a, b), n, norm=norm)",
        "*s M, *s M",
        attributes={"n": "LENGTH", **_NORM},
        ulps=16.0,
    ),
    Operation(
        "irfft_of_rfft",
        "torch.fft.irfft(torch.fft.rfft(a), n)",
        "*s M",
        attributes={"n": "LENGTH"},
        ulps=16.0,
    ),
    Operation(
        "hfft",
        "torch.fft.hfft(torch.complex(a, b), n, norm=norm)",
        "*s M, *s M",
        attributes={"n": "LENGTH", **_NORM},
        ulps=16.0,
    ),
    Operation(
        "ihfft",
        f"{_PARTS}(torch.fft.ihfft(a, n, norm=norm))",
        "*s M",
        attributes={"n": "LENGTH", **_NORM},
        ulps=16.0,
    ),
    Operation(
        "rfft2", f"{_PARTS}(torch.fft.rfft2(a, norm=norm))", "*s m M", attributes=_NORM, ulps=16.0
    ),
    Operation(
        "fft2", f"{_PARTS}(torch.fft.fft2(a, norm=norm))", "*s m M", attributes=_NORM, ulps=16.0
    ),
    Operation(
        "irfft2",
        "torch.fft.irfft2(torch.complex(a, b), norm=norm)",
        "*s m M, *s m M",
        attributes=_NORM,
        ulps=16.0,
    ),
    Operation(
        "rfftn",
        f"{_PARTS}(torch.fft.rfftn(a, dim=axes))",
        "m n M",
        attributes={"axes": ((0, 1, 2), (1, 2), (2, 0), (0, 1), (-1, 0, 1))},
        ulps=16.0,
    ),
    Operation(
        "fftn_lengths",
        f"{_PARTS}(torch.fft.fftn(a, s=s, dim=axes))",
        "M N",
        attributes={"s": ((2, 4), (5, 3), (1, 6)), "axes": ((0, 1), (1, 0))},
        ulps=16.0,
    ),
    Operation(
        "power_spectrum",
        "(lambda z: z.real ** 2 + z.imag ** 2)(torch.fft.rfft(a))",
        "*s M",
        ulps=16.0,
    ),
    Operation(
        "amplitude_spectrum", "torch.fft.rfft(a).abs()", "*s M", kinks="amplitude 0", ulps=16.0
    ),
    Operation(
        "fft_convolution",
        "torch.fft.irfft(torch.fft.rfft(a) * torch.fft.rfft(b), a.shape[-1])",
        "*s M, *s M",
        ulps=16.0,
    ),
    Operation("fftshift", "torch.fft.fftshift(a)", "*s M", ulps=1.0),
    Operation(
        "fftshift_axis", "torch.fft.fftshift(a, axis)", "+s", attributes={"axis": "AXIS"}, ulps=1.0
    ),
    Operation("ifftshift", "torch.fft.ifftshift(a)", "*s M", ulps=1.0),
    Operation(
        "short_time_fourier",
        "torch.view_as_real(torch.stft(a, 4, hop_length=hop_length, window=b, center=center, "
        "onesided=onesided, normalized=normalized, return_complex=True))",
        "c 9, 4",
        attributes={
            "hop_length": (2, 1, 3),
            "center": (False, True),
            "onesided": (True, False),
            "normalized": (False, True),
        },
        ulps=16.0,
    ),
)
