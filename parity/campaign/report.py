"""The text of a report: a verdict, faults with the worst first, and conventions last."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from parity._util.escape import one_line, printable
from parity._util.style import PLAIN, Style
from parity.campaign.baseline import BaselineEntry
from parity.diagnose.causes import Category, Cause, category_of
from parity.diagnose.defects import DEFECTS
from parity.engines.base import Engine, label
from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, Runner
from parity.generate.coverage import Coverage
from parity.language.program import Apply, Program
from parity.language.table import OPS
from parity.oracle.combined import ErrorSize, size_line
from parity.oracle.finding import Finding, Kind
from parity.oracle.stability import Stability
from parity.oracle.verdict import (
    OWN_FORWARD,
    REFERENCE,
    Verdict,
    left_out_lines,
    no_findings,
    plural,
)

#: Arrays of more elements are shown by the first and the last ones, and are text in JSON.
MOST_ELEMENTS = 1000


def distinguishable_texts(a: Any, b: Any) -> tuple[str, str]:
    """Format two values so that the texts differ: by more digits, then by dtype and shape."""
    texts = _shown(a), _shown(b)
    if texts[0] == texts[1]:
        texts = _shown(a, floatmode="unique"), _shown(b, floatmode="unique")
    return texts if texts[0] != texts[1] else (with_form(a), with_form(b))


def _shown(value: Any, floatmode: Any = "maxprec") -> str:
    if not isinstance(value, np.ndarray):
        return one_line(value)
    value, form = np.asarray(value), ""  # not as a subclass shows it
    if value.size > MOST_ELEMENTS:  # NumPy shows all of an array with many short axes
        value, form = value.ravel(), f" (shape {value.shape})"
    # An engine may have changed the options.
    with np.printoptions(8, MOST_ELEMENTS, 3, 75, suppress=False, floatmode=floatmode):
        return printable(value) + form


def with_form(value: Any) -> str:
    form = f" ({value.dtype} {value.shape})" if isinstance(value, np.ndarray) else ""
    return _shown(value, "unique") + one_line(form)


def expected_by(program: Program | None, reference: Engine) -> str:
    """Return what says which result is right: the engine itself for what PyTorch lacks."""
    statements = program.statements if program else ()
    ops = [OPS[s.op] for s in statements if isinstance(s, Apply)]
    return OWN_FORWARD if any(op.torch is None for op in ops) else label(reference)


#: What faults of a category are called in the first line, and of kinds that have another name.
_NAMES = {
    Category.GRADIENT: ("wrong gradient", "wrong gradients"),
    Category.VALUE: ("wrong value", "wrong values"),
    Category.CRASH: ("exception", "exceptions"),
    Category.RESOURCES: ("fault of resources", "faults of resources"),
}
_NAMES_OF_KINDS = {
    Kind.CRASH: ("crash", "crashes"),
    Kind.DEPTH: ("failure on deep graphs", "failures on deep graphs"),
    Kind.TIME: ("fault of time", "faults of time"),
    Kind.LEAK: ("leak", "leaks"),
    Kind.MEMORY: ("fault of memory", "faults of memory"),
}
#: The order of kinds within a category, for those that have one.
_ORDER = (Kind.CRASH, Kind.EXCEPTION, Kind.DEPTH, Kind.TIME, Kind.LEAK, Kind.MEMORY)
#: Columns of a line with both results, at most, and between them.
_WIDTH, _BETWEEN = 96, 3


class Reported(Protocol):
    """What the text of a finding needs of ``parity.campaign.result.Report``."""

    finding: Finding
    program: Program | None
    probe: str
    script: str
    verdict: Verdict
    cause: Cause | None
    programs: int

    @property
    def wrong(self) -> str | None: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def error_size(self) -> ErrorSize | None: ...


class Searched(Protocol):
    """What the text of a report needs of ``parity.campaign.result.SearchResult``."""

    engine: Runner
    reference: Engine
    seed: int
    programs: int
    seconds: float
    unexplained: int
    ill_conditioned: int
    interrupted: bool
    folder: str
    known: Counter[BaselineEntry]
    stale: tuple[BaselineEntry, ...]
    untested: tuple[str, ...]
    unsupported: Counter[str]
    coverage: Coverage | None
    stability: Stability

    @property
    def findings(self) -> Sequence[Reported]: ...
    @property
    def fails(self) -> bool: ...


def category(report: Reported) -> Category:
    """Return the category of what a report says."""
    return report.cause.category if report.cause else category_of(report.finding)


def by_harm(report: Reported) -> tuple[int, int, int, int]:
    """Return the key that sorts findings: wrong gradients first, conventions last."""
    kind = report.finding.observed
    order = _ORDER.index(kind) if kind in _ORDER else -1
    programs = report.cause.programs if report.cause else report.programs
    return category(report).rank, order, -programs, report.size[0]


def headline(result: Searched) -> str:
    """Return the first line of a report: what was found, in numbers."""
    names: Counter[tuple[str, str]] = Counter()
    for report in result.findings:
        of_kind = _NAMES_OF_KINDS.get(report.finding.observed)
        if (sort := category(report)) is not Category.CONVENTION:
            names[of_kind or _NAMES[sort]] += 1
    faults, conventions = names.total(), len(result.findings) - names.total()
    counts = [f"{n:,} {one if n == 1 else several}" for (one, several), n in names.items()]
    text = f"{plural(faults, 'fault')}: {', '.join(counts)}" if faults else "no fault"
    if conventions:
        text += f"; {plural(conventions, 'difference')} by convention"
    if result.interrupted:
        text = f"interrupted, so far {text}"
    return text


def result_lines(result: Searched, style: Style, verbose: bool) -> Iterator[str]:
    """Yield the lines of a report, without that of the verdict at its end."""
    colour = style.bad if result.fails else style.good
    yield style.paint(colour, headline(result))
    engine, reference = result.engine, result.reference
    yield (
        f"{label(engine)} against {label(reference)}: {result.programs} programs, "
        f"seed {result.seed}, {result.seconds:.1f} s"
    )
    for name, text in descriptions(engine.quirks).items():
        yield f"quirk {name}: {text}"
    yield from (f"warning: {text}" for text in engine.warnings)
    is_convention = [category(report) is Category.CONVENTION for report in result.findings]
    for report in itertools.compress(result.findings, (not c for c in is_convention)):
        yield ""
        yield from finding_lines(report, engine, reference, style)
    if any(is_convention):
        yield ""
        yield style.paint(style.heading, "Differences by convention, no faults if they are meant:")
    for report in itertools.compress(result.findings, is_convention):
        yield ""
        yield from finding_lines(report, engine, reference, style)
    yield from _rest(result, verbose)


def _rest(result: Searched, verbose: bool) -> Iterator[str]:
    """Yield what a report says after the findings."""
    if result.unexplained:
        programs = plural(result.unexplained, "program")
        yield f"\nnot reduced: {programs} more that no cause explains"
    if result.ill_conditioned:
        yield "\n" + no_findings(result.ill_conditioned)
    if result.untested:
        names = f": {', '.join(result.untested)}" if verbose else " (--verbose lists them)"
        count = plural(len(result.untested), "operation or ability")
        count = count.replace("operation or abilitys", "operations and abilities")
        yield f"\nnot tested, since the engine lacks it: {count}{names}"
    yield from ("\n" + line for line in left_out_lines(result.engine.left_out))
    if result.unsupported:
        ended = result.unsupported.total()
        yield f"{ended} programs ended early, at what the adapter does not support"
    yield from (f"\nknown, found {n} times: {entry}" for entry, n in result.known.items())
    yield from ("\n" + entry.stale() for entry in result.stale)
    if result.stability.programs:
        yield f"\n{result.stability}"
    if result.coverage is not None:
        yield "\n" + result.coverage.text()
    if result.folder:
        yield f"\nscripts: {one_line(result.folder)}"


def finding_lines(
    report: Reported, engine: AnyEngine, reference: Engine, style: Style = PLAIN
) -> Iterator[str]:
    """Yield the lines of a finding: sentence, program, both results, cause and script."""
    finding, cause = report.finding, report.cause
    sentence = one_line(cause.sentence if cause else finding.says)
    yield f"{style.paint(style.bad, str(finding.kind))}: {style.paint(style.heading, sentence)}"
    program = str(report.program) if report.program else report.probe
    yield from ("    " + style.paint(style.code, line) for line in program.splitlines())
    yield from _both(report, engine, reference)
    if report.wrong == REFERENCE and not report.verdict.note:  # else the note says it
        yield f"  by an exact evaluation it is {one_line(reference.name)} that is wrong"
    if report.verdict.note:
        undecided = "who is wrong is undecided: " if report.wrong is None else ""
        yield f"  {undecided}{report.verdict.note}"
    if finding.error_over_bound is not None and not report.verdict.bits:
        yield f"  error: {finding.error_over_bound:.3g} times what rounding explains"
    if line := size_line(report.error_size):
        yield f"  {line}"
    if cause is not None:
        yield from ("  " + one_line(line) for line in _cause_lines(cause))
    if finding.repeats is not None:
        yield f"  flaky like this: {plural(report.programs, 'program')}"
    if cause is not None and cause.name in DEFECTS:
        yield f"  name: {cause.key} (parity explain {cause.name} says more)"
    if report.script:
        yield f"  script: {one_line(report.script)}"


def _cause_lines(cause: Cause) -> Iterator[str]:
    yield from cause.text()
    if cause.programs > 1:
        yield f"explains {cause.programs:,} programs that differ"


def _both(report: Reported, engine: AnyEngine, reference: Engine) -> Iterator[str]:
    """Yield both results: side by side, or one after the other where that is too wide."""
    expected = f"expected ({expected_by(report.program, reference)})"
    actual = f"actual ({label(engine)})"
    ours, theirs = distinguishable_texts(report.finding.engine, report.finding.reference)
    left, right = [[t, *text.splitlines()] for t, text in ((expected, theirs), (actual, ours))]
    width = max(map(len, left))
    if width + _BETWEEN + max(map(len, right)) <= _WIDTH:
        gap = width + _BETWEEN
        for a, b in itertools.zip_longest(left, right, fillvalue=""):
            yield f"  {a:{gap}}{b}".rstrip()
        return
    for title, *lines in (left, right):
        yield f"  {title}: " + ("\n" + " " * 12).join(lines)
