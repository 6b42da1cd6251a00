"""Runs the variants: in each setting a function has to have the gradient of a plain backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity._util.escape import described
from parity.function import variants
from parity.function.cases import Array
from parity.function.causes import CAUSES
from parity.function.frameworks import TorchFramework
from parity.function.judge import Arrays, differing, sampler
from parity.function.orders import finding
from parity.function.result import FunctionFinding
from parity.function.script import Variant
from parity.function.subject import Point, Subject


@dataclass(frozen=True)
class Setting:
    """A setting in which gradients are compared with those of a plain backward.

    Attributes
    ----------
    name
        The name of the check, which has a cause in ``parity.function.causes``.
    run
        A function of ``parity.function.variants``.
    where
        The end of the sentence "it raises ...".
    absent
        Why it was not tested, if the variant compares nothing.
    optional
        Whether a function may refuse it.
    generic
        Whether it is only compared where there is no tie or kink: another convention is no fault.
    """

    name: str
    run: Callable[[Any, list[Any], list[Any]], Iterator[Any]]
    where: str
    absent: str = ""
    optional: bool = False
    generic: bool = False


#: The first setting; a function whose results vary fails all others as well.
REPEATED = Setting("repeated", variants.repeated, "where it runs again")
#: The second one; a function that changes what it is given disturbs all further checks.
UNCHANGED = Setting("unchanged", variants.unchanged, "in a plain backward")
_NOWHERE = "there are no inputs without ties and zeros"
SETTINGS = (
    Setting(
        "upstream layouts",
        variants.upstream_layouts,
        "where the upstream gradient is not contiguous",
    ),
    Setting("input layouts", variants.input_layouts, "where an input is not contiguous"),
    Setting(
        "partly required",
        variants.partly_required,
        "where only some inputs require gradients",
        "it has one input with gradients",
    ),
    Setting(
        "same tensor",
        variants.same_tensor,
        "where the same tensor is passed twice",
        "no two inputs have the same shape",
    ),
    Setting(
        "broadcast",
        variants.broadcast,
        "where an input is broadcast",
        "no input is broadcast",
        generic=True,
    ),
    Setting("second backward", variants.second_backward, "in a second backward with retain_graph"),
    Setting("interleaved", variants.interleaved, "where it is called again before the backward"),
    Setting("between", variants.copied, "between other operations"),
    Setting("freed", variants.freed, "in a plain backward"),
    Setting("no_grad", variants.without_grad, "under no_grad"),
    Setting("checkpoint", variants.checkpointed, "inside torch.utils.checkpoint"),
    Setting("forward mode", variants.forward_mode, "in forward mode", _NOWHERE, True, True),
    Setting("vmap", variants.vmapped, "under torch.func.vmap", _NOWHERE, True, True),
)
COMPILED = Setting("compile", variants.compiled, "under torch.compile", optional=True)
#: Findings that explain another one: that one is left out.
EXPLAINED = {
    "second order": ("first order",),
    "freed": ("interleaved",),
    "checkpoint": ("interleaved",),
    "between": ("upstream layouts",),
    "vmap": ("upstream layouts", "input layouts"),
}


#: How many roundings of the largest number are no fault: another setting may run other formulas.
_ROUNDINGS = 2.0**20


def run_setting(setting: Setting, subject: Subject, most: int = 8) -> list[FunctionFinding]:
    """Run a setting at inputs from small to large; return the first difference.

    What does not apply is added to ``subject.untested``.
    """
    framework = subject.framework
    assert isinstance(framework, TorchFramework)
    compared = 0
    points = [p for p in subject.plain if p.case.is_generic or not setting.generic]
    for point in points[:most]:
        xs, vs = framework.plain(point.arrays), framework.plain(point.varied(subject.seed))
        try:
            for says, actual, expected in setting.run(subject.f, xs, vs):
                compared += 1
                found = _difference(subject, point, actual, expected)
                if found is not None:
                    return [_finding(subject, setting, says, point, *found)]
        except Exception as error:
            text = described(error, 200)
            if setting.optional:
                subject.untested.append(f"{setting.name}: {text}")
                return []
            return [_finding(subject, setting, f"it raises {setting.where}", point, text, None)]
    if not compared and setting.absent:
        subject.untested.append(f"{setting.name}: {setting.absent}")
    return []


def _finding(
    subject: Subject, setting: Setting, says: str, point: Point, actual: Any, expected: Any
) -> FunctionFinding:
    seeds = point.varied(subject.seed)
    shows = Variant(setting.run.__name__, 1e-8 if subject.dtype == "float64" else 1e-3)
    cause = CAUSES[setting.name]
    return finding(subject, setting.name, says, point, seeds, expected, actual, cause, shows=shows)


def _difference(
    subject: Subject, point: Point, actual: Any, expected: Any
) -> tuple[Any, Any] | None:
    """Return the two as arrays or texts if they differ by more than rounding explains."""
    if isinstance(actual, str):
        return (actual, expected) if actual != expected else None
    framework = subject.framework
    assert isinstance(framework, TorchFramework)
    a, e = framework.numpy(actual), framework.numpy(expected)
    if a.shape == e.shape and not differing([a], [e], subject.unit, None):
        return None
    if a.shape == e.shape and _within(a, e, _noise(subject, point)):
        return None
    return a, e


def _within(actual: Array, expected: Array, bound: float) -> bool:
    with np.errstate(all="ignore"):
        error = np.abs(actual - expected)
    return bool((error <= bound).all())


def _noise(subject: Subject, point: Point) -> float:
    """Return how large rounding errors of values and gradients are at a point."""
    framework, seeds = subject.wide, point.varied(subject.seed)

    def run(xs: Any, vs: Any) -> Arrays:
        found = framework.gradients(subject.f, xs, vs)
        return [*framework.values(subject.f, xs), *(g for g in found if g is not None)]

    sample = sampler(framework, run, point.arrays, seeds, subject.unit)
    (still, _), (disturbed, _) = sample(0, 0.0), sample(1, 2.0)
    scale = max((float(np.abs(a).max(initial=0.0)) for a in still if a is not None), default=0.0)
    pairs = zip(still, disturbed, strict=True)
    worst = [np.abs(a - b).max(initial=0.0) for a, b in pairs if a is not None and b is not None]
    most = 16 * float(max(worst, default=0.0))
    return min(max(most, _ROUNDINGS * subject.unit * scale), 1e-3 * scale)
