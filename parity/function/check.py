"""``check_function``, from the arguments to the result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from parity._util.errors import UsageError
from parity._util.escape import file_name, one_line
from parity._util.process import fuzzing_runtime
from parity.function.cases import Case, cases_of, shape_of
from parity.function.frameworks import Function, framework_of, open_framework
from parity.function.orders import check_backward, check_values, first_order, second_order
from parity.function.precision import check_precision, check_returned
from parity.function.result import FunctionFinding, FunctionResult
from parity.function.settings import COMPILED, EXPLAINED, REPEATED, SETTINGS, UNCHANGED, run_setting
from parity.function.subject import Subject
from parity.language.shapes import Shape


def check_function(
    f: Function,
    *examples_or_shapes: Any,
    domain: str = "R",
    reference: Function | None = None,
    order: int = 2,
    seed: int = 0,
    compile: bool = False,
    framework: str | None = None,
    device: str | None = None,
    findings: Path | None = None,
) -> FunctionResult:
    """Check a function with a backward of its own: ``parity.check_function``.

    Parameters
    ----------
    f
        A function of tensors: ``apply`` of a ``torch.autograd.Function``, or one that launches a
        kernel. Other arguments are passed with a lambda or ``functools.partial``. A function of
        JAX or a ``PyLayer`` of Paddle is checked for orders and precision.
    examples_or_shapes
        For each input a tensor, or a shape as a tuple. Other sizes, zeros, ties and negative
        numbers are tried as well; a size that the function refuses is no fault.
    domain
        Which numbers inputs have, a letter for each or one for all, as in ``"R, P"``: "R" for any
        numbers, "P" for positive ones (``parity.language.domains``).
    reference
        The same function in plain operations. Without it the gradient has to be the slope of the
        function's own values.
    order
        1 leaves out second derivatives.
    seed
        The same seed gives the same inputs.
    compile
        Whether ``torch.compile`` is tried, which takes seconds.
    framework
        "torch", "jax" or "paddle"; by default that of the examples or the function.
    device
        Of the tensors; by default that of the examples, else "cpu".
    findings
        A folder to which a script is written for each finding; none by default.

    Returns
    -------
    FunctionResult
        Has ``ok``, ``verdict``, ``findings`` and ``to_json()``; ``str()`` of it is a report.

    Raises
    ------
    UsageError
        If the arguments do not fit, or the function accepts none of the inputs.

    Examples
    --------
    >>> import parity, torch
    >>> class Square(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad_output):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x
    >>> (finding,) = parity.check_function(Square.apply, (3,)).findings
    >>> finding.cause
    'backward does not multiply by the upstream gradient'
    """
    if not examples_or_shapes:
        raise UsageError("check_function needs a shape or a tensor for each input")
    name = framework or framework_of(f, examples_or_shapes)
    place = device or _device_of(examples_or_shapes)
    wide = open_framework(name, place)
    shapes = tuple(shape_of(given) for given in examples_or_shapes)
    arrays = [wide.array(g) if hasattr(g, "shape") else None for g in examples_or_shapes]
    cases = cases_of(shapes, arrays, domain, seed)
    with fuzzing_runtime(), wide.quiet():
        subject = _subject(Subject(f, reference, wide, wide, "float64", seed), cases, shapes, place)
        result = FunctionResult(
            _name(f),
            _name(reference) if reference else "the slopes of its own values",
            len(subject.points),
        )
        for check, found in _checks(subject, order, compile):
            result.checked.append(check)
            if not any(f.check in EXPLAINED.get(check, ()) for f in result.findings):
                result.findings += found
    result.untested = list(dict.fromkeys(subject.untested))
    result.notes = subject.notes
    if findings is not None:
        result.findings = [_written(f, result.name, findings) for f in result.findings]
    return result


def _written(finding: FunctionFinding, name: str, folder: Path) -> FunctionFinding:
    """Write the script of a finding; return the finding with the name of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{file_name(f'{name}-{finding.check}')}.py"
    file.write_text(finding.script)
    return replace(finding, file=str(file))


def _device_of(examples: tuple[Any, ...]) -> str:
    devices = (getattr(example, "device", None) for example in examples)
    return next((str(device) for device in devices if hasattr(device, "type")), "cpu")


def _name(f: Function) -> str:
    owner = getattr(f, "__self__", None)
    name = getattr(f, "__qualname__", getattr(f, "__name__", type(f).__name__))
    owned = getattr(owner, "__qualname__", None)
    return one_line(f"{owned}.{getattr(f, '__name__', name)}" if owned else name)


def _subject(
    subject: Subject, cases: list[Case], shapes: tuple[Shape, ...], device: str
) -> Subject:
    """Return the function in the widest type that it accepts and in which it computes."""
    try:
        subject.accept(cases, shapes)
    except UsageError:
        why = "float64: it is refused"
    else:
        if not subject.is_single:
            return subject
        why = "float64: the function computes in float32 there"
    narrow = open_framework(subject.wide.name, device, "float32")
    single = replace(
        subject, framework=narrow, dtype="float32", points=[], untested=[why], notes=[]
    )
    single.accept(cases, shapes)
    return single


def _checks(
    subject: Subject, order: int, compile: bool
) -> Iterator[tuple[str, list[FunctionFinding]]]:
    """Run the checks; yield the name of each with what it found."""
    is_torch = subject.framework.name == "torch"
    yield "error", check_backward(subject)
    if not subject.points:
        subject.untested.append("all else, until this is mended")
        return
    for setting in (REPEATED, UNCHANGED) if is_torch else ():
        found = run_setting(setting, subject)
        yield setting.name, found
        if found:  # nothing else can be compared
            subject.untested.append("all else, until this is mended")
            return
    yield "values", list(check_values(subject))
    yield "first order", first_order(subject)
    if order > 1:
        yield "second order", list(second_order(subject))
    yield from _precisions(subject)
    yield from _settings(subject, compile) if is_torch else ()
    if not is_torch:
        subject.untested.append("strides, repeated backwards and the like: only in torch")


def _settings(subject: Subject, compile: bool) -> Iterator[tuple[str, list[FunctionFinding]]]:
    for setting in SETTINGS:
        yield setting.name, run_setting(setting, subject)
    if compile:
        yield COMPILED.name, run_setting(COMPILED, subject, most=1)
    else:
        subject.untested.append("compile: pass compile=True, which takes seconds")


def _precisions(subject: Subject) -> Iterator[tuple[str, list[FunctionFinding]]]:
    if subject.dtype != "float64":
        return
    for dtype, optional in ("float32", False), ("bfloat16", True):
        if dtype == "bfloat16" and subject.framework.name != "torch":
            continue
        yield dtype, check_precision(subject, dtype, optional)
    if subject.framework.name == "torch":
        yield "returned", check_returned(subject)
