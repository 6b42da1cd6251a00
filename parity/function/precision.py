"""Values and gradients in float32 and bfloat16, compared with those of float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity._util.escape import described
from parity.function.cases import Array, Case
from parity.function.causes import CAUSES
from parity.function.frameworks import Framework, TorchFramework, open_framework
from parity.function.judge import UNITS, Arrays, differing, sampler
from parity.function.orders import finding
from parity.function.result import FunctionFinding
from parity.function.settings import Setting, run_setting
from parity.function.subject import Point, Subject
from parity.function.variants import returned

#: What backward itself returns, which PyTorch casts.
RETURNED = Setting("returned", returned, "where its backward is called", optional=True)


def check_precision(subject: Subject, dtype: str, optional: bool) -> list[FunctionFinding]:
    """Compare values and gradients of a narrow type with those of float64.

    ``optional``: whether the function may refuse the type.
    """
    narrow = _narrow(subject, dtype)
    for point in subject.plain:
        arrays = [_rounded(narrow, a) for a in point.arrays]
        if not Case(tuple(arrays)).is_generic:
            continue  # rounding may break a tie
        seeds = point.varied(subject.seed)
        try:
            wide = _results(subject, subject.wide, arrays, seeds)
            found = _results(subject, narrow, arrays, seeds)
        except Exception as error:
            text = described(error, 200)
            if optional:
                subject.untested.append(f"{dtype}: {text}")
                return []
            rounded = Point(Case(tuple(arrays)), point.values)
            says = f"it raises where inputs are {dtype}"
            return [finding(subject, dtype, says, rounded, seeds, None, text, CAUSES["error"])]

        def run(xs: Sequence[Array], vs: Sequence[Array]) -> Arrays:
            return _results(subject, subject.wide, xs, vs)

        unit = UNITS[dtype]
        sample = sampler(subject.wide, run, arrays, seeds, unit)
        differ = differing(found, wide, unit, sample, clear=np.inf)
        if differ:
            k, outputs = differ[0], len(point.values)
            what = f"output {k}" if k < outputs else f"the gradient of input {k - outputs}"
            says = f"{what} is wrong where inputs are {dtype}"
            rounded = Point(Case(tuple(arrays)), point.values)
            sides = wide[k], "None (no gradient)" if found[k] is None else found[k]
            note = f"expected is the result of float64, and rounding of {dtype} does not explain it"
            return [finding(subject, dtype, says, rounded, seeds, *sides, CAUSES[dtype], note)]
    return []


def check_returned(subject: Subject) -> list[FunctionFinding]:
    """Look at the types that backward returns for inputs of float32."""
    narrow = Subject(
        subject.f, None, _narrow(subject, "float32"), subject.wide, "float32", subject.seed
    )
    narrow.points = subject.plain[:2]
    return run_setting(RETURNED, narrow)


def _narrow(subject: Subject, dtype: str) -> Framework:
    device = str(getattr(subject.framework, "device", "cpu"))
    return open_framework(subject.framework.name, device, dtype)


def _rounded(framework: Framework, array: Array) -> Array:
    """Return the numbers that a type has nearest to those of an array, in float64."""
    if array.dtype.kind != "f":
        return array
    if isinstance(framework, TorchFramework):
        return framework.numpy(framework.leaf(array))
    return array.astype("f4").astype("f8")


def _results(
    subject: Subject, framework: Framework, arrays: Sequence[Array], seeds: Sequence[Array]
) -> list[Array | None]:
    gradients = framework.gradients(subject.f, arrays, list(seeds))
    return [*framework.values(subject.f, arrays), *gradients]
