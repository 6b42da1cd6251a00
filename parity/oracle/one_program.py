"""``parity.run``: one program on an engine and on PyTorch."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from html import escape

from parity._util.errors import UsageError
from parity.engines.base import Engine, label
from parity.engines.execute import execute
from parity.engines.limits import Limits
from parity.engines.load import load_engine
from parity.engines.open import open_engines
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine, Runner, as_runner
from parity.engines.selfcheck import check_adapter
from parity.engines.trace import Trace
from parity.language.program import Apply, Program, ProgramError
from parity.language.text_format import program_from_text
from parity.oracle.adjudicate import adjudicate
from parity.oracle.compare import compare
from parity.oracle.drawing import drawing
from parity.oracle.finding import Finding
from parity.oracle.rounded_operations import tolerance_of
from parity.oracle.side_by_side import Place, SideBySide, side_by_side
from parity.oracle.verdict import ILL_CONDITIONED, REFERENCE, Verdict

#: A relative difference from which on numbers after the first finding are marked as well.
_VISIBLE = 1e-6


@dataclass(frozen=True, eq=False)
class ProgramRun:
    """The runs of a program on both sides. ``str`` of it is what ``parity run`` prints.

    Attributes
    ----------
    program
        The program.
    names
        The engine and the reference, with versions.
    engine, reference
        What was observed of each side.
    finding
        The first difference, or None.
    verdict
        Which side is wrong, by a third evaluation.
    """

    program: Program
    names: tuple[str, str]
    engine: Trace
    reference: Trace
    finding: Finding | None
    verdict: Verdict | None = None

    @property
    def ok(self) -> bool:
        """Whether both sides agree, up to rounding."""
        return self.finding is None or (
            self.verdict is not None and self.verdict.wrong == ILL_CONDITIONED
        )

    @functools.cached_property
    def table(self) -> SideBySide:
        """What both sides show, statement by statement."""
        found = None if self.ok else self.finding
        place = Place(found.statement, found.what, found.which) if found else None
        sides = self.names, self.engine, self.reference
        return side_by_side(self.program, *sides, place, _VISIBLE if found else float("inf"))

    @property
    def conclusion(self) -> str:
        """``agree`` or ``differ``, with where and what, in one line."""
        if self.ok:
            return "agree" if self.finding is None else "agree: rounding explains the difference"
        assert self.finding is not None
        blame = ""
        if self.verdict is not None and self.verdict.wrong == REFERENCE:
            blame = f"; by the exact evaluation {self.names[1]} is wrong"
        return f"differ {self._where(self.finding)}: {self.finding}{blame}"

    def _where(self, finding: Finding) -> str:
        lines = str(self.program).splitlines()
        line = len(self.program.leaves) + finding.statement
        if finding.statement < 0:
            return "while the leaves are made"
        return f"at `{lines[line]}`" if line < len(lines) else "at the end"

    @property
    def raised(self) -> tuple[str, ...]:
        """What each side raised, in full: at most a line for each."""
        sides = zip(self.names, (self.engine.failure, self.reference.failure), strict=True)
        return tuple(f"{who} raised {f.text()}{f.location()}" for who, f in sides if f is not None)

    def __str__(self) -> str:
        return "\n".join((str(self.table), "", *self.raised, self.conclusion))

    def drawing(self) -> str:
        """Return the graph of the program as SVG with the results of both sides."""
        return drawing(self.program, self.engine, self.reference)

    def _repr_html_(self) -> str:
        picture = self.drawing()
        lines = "".join(f"<p>{escape(line)}</p>" for line in (self.conclusion, *self.raised))
        return f"{lines}{self.table.html()}{picture}"


def run(
    program: Program | str,
    engine: str | AnyEngine | type[Engine],
    reference: str | Engine = "torch",
    *,
    isolate: bool | None = None,
    limits: Limits | None = None,
) -> ProgramRun:
    """Run one program on an engine and a reference: ``parity.run``.

    Parameters
    ----------
    program
        A program, or its text as reports show it.
    engine, reference, isolate, limits
        As of ``parity.check``.

    Returns
    -------
    ProgramRun
        Has ``ok``, ``finding`` and ``program``; ``str()`` of it shows both sides.

    Raises
    ------
    UsageError
        If the text is no program, or the engine does not support it.
    EngineError
        If the engine or its adapter cannot be used.

    Examples
    --------
    >>> import parity
    >>> result = parity.run("x0 = leaf(3.0)\\nx1 = mul(x0, x0)\\nbackward(x1)", "dezero")
    >>> result.ok
    True
    """
    checked = read_program(program) if isinstance(program, str) else program
    if isinstance(engine, str):
        name = reference if isinstance(reference, str) else "torch"
        runner, right = open_engines(engine, name, isolate, limits)
    else:
        runner = as_runner(engine() if isinstance(engine, type) else engine)
        check_adapter(runner)
        right = load_engine(reference) if isinstance(reference, str) else reference
    try:
        return run_on(checked, runner, right if isinstance(reference, str) else reference)
    finally:
        if isinstance(engine, str):
            runner.close()


def read_program(text: str, name: str = "the program") -> Program:
    """Return the program of its text. Raises UsageError that says which line makes no sense."""
    try:
        return program_from_text(text)
    except ProgramError as error:
        raise UsageError(f"{name}: {error}") from None


def run_on(program: Program, engine: AnyEngine, reference: Engine) -> ProgramRun:
    """Run a program on a runner and its reference. Raises UsageError if one lacks something."""
    runner = as_runner(engine)
    names = label(runner), label(reference)
    if not runner.supports(program):
        raise UsageError(f"{names[0]} has no {_missing(program, runner)}")
    expected = with_quirks(reference, runner.quirks)
    ours, theirs = runner.run(program), execute(program, expected)
    if ours.unsupported is not None:
        raise UsageError(f"{names[0]} does not support the program: {ours.unsupported}")
    bitwise = runner.bitwise and expected.bitwise
    tolerance = tolerance_of(program, bitwise, runner.quirks, expected)
    finding = compare(program, ours, theirs, tolerance=tolerance)
    verdict = None if finding is None else adjudicate(program, finding, runner, reference)
    return ProgramRun(program, names, ours, theirs, finding, verdict)


def _missing(program: Program, runner: Runner) -> str:
    """Return the first thing of a program that an engine does not have."""
    for statement in program.statements:
        if isinstance(statement, Apply) and statement.op not in runner.ops:
            return f"operation {statement.op}"
    for leaf in program.leaves:
        if leaf.dtype not in runner.dtypes:
            return leaf.dtype
    return "arrays of so many dimensions, or attributes as the program has them"


def picture(program: Program, engine: Trace, reference: Engine) -> str:
    """Return the graph of a program as SVG, with a run of the engine and one of the reference."""
    return drawing(program, engine, execute(program, reference))
