"""``WholeTriage``: the causes of an engine that takes whole programs.

A compiler has no tape that a model could fit, and sees nothing in one operation alone. So each
failing program is reduced: to a batch of one, to the smallest program, without forms and earlier
calls that do not matter, and at last to the lowest level of the compiler at which it differs.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import replace

from parity.diagnose.causes import UNEXPLAINED, Cause, category_of
from parity.diagnose.operations import OperationTable
from parity.diagnose.shrink import reduced
from parity.diagnose.shrink_passes import Freedom
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.load import EngineError
from parity.engines.open import open_runner
from parity.engines.runner import AnyEngine, as_runner
from parity.language import program as pr
from parity.language.forms import FORMS
from parity.language.program import Program
from parity.oracle.check import check_program
from parity.oracle.finding import Finding, Kind


class WholeTriage(Triage):
    """Each reduced program is a cause; nothing is measured first."""

    @property
    def table(self) -> OperationTable:
        return OperationTable(self.engine, self.reference)

    def causes(self) -> list[Cause]:
        return []

    def explains(self, program: Program, finding: Finding) -> bool:
        return False

    def blame(self, program: Program, finding: Finding) -> tuple[Cause, ...]:
        return ()

    def reduced(self, program: Program, finding: Finding) -> tuple[Program, Finding]:
        """Reduce a program; one that runs into the time limit stays as it is."""
        if finding.kind is Kind.TIME:
            return program, finding
        return reduced(program, finding, self.engine, self.reference, Freedom.REWIRE)

    def operations_of(self, program: Program, finding: Finding) -> frozenset[str]:
        return frozenset(s.op for s in program.statements if isinstance(s, pr.Apply))

    def key(self, program: Program, finding: Finding) -> Hashable:
        """Return the place of an exception, or the forms; without any the operations."""
        if finding.place:
            return finding.kind, finding.place
        forms = forms_of(program)
        return (finding.kind, *forms) if forms else self.operations_of(program, finding)

    def consequence_of(self, program: Program, finding: Finding) -> Cause | None:
        return None

    def unexplained(self, program: Program, finding: Finding) -> Cause:
        ops = self.operations_of(program, finding)
        says = [f"{finding.says}, in programs with {' and '.join(f'`{op}`' for op in sorted(ops))}"]
        says += [f"`{s.op}` {FORMS[s.form].description}" for s in _formed(program)]
        if program.calls:
            calls = len(program.calls)
            says.append(f"in call {calls + 1} of the compiled function, with other leaves")
        level = self.level_of(program, finding)
        name = ", ".join(dict.fromkeys((*sorted(ops), *forms_of(program)))) or UNEXPLAINED
        cause = Cause(category_of(finding), name, "; ".join([*says, *filter(None, [level])]))
        return replace(cause, witness=program, finding=finding, ops=ops)

    def level_of(self, program: Program, finding: Finding) -> str:
        """Return at which level of the compiler the difference appears first; "" if not known."""
        right = ""
        for spec in self.engine.levels:
            wrong = spec == self.engine.levels[-1] or self._differs(spec, program, finding)
            if wrong:
                return (
                    f"right with {right}, wrong from {spec} on" if right else f"wrong with {spec}"
                )
            right = spec
        return ""

    def _differs(self, spec: str, program: Program, finding: Finding) -> bool:
        try:
            runner = open_runner(spec, self.reference.name, limits=self.engine.limits)
        except EngineError:
            return False
        try:
            found = check_program(program, runner, self.reference)
        finally:
            runner.close()
        return found is not None and found.kind == finding.kind


def _formed(program: Program) -> list[pr.Apply]:
    return [s for s in program.statements if isinstance(s, pr.Apply) and s.form]


def forms_of(program: Program) -> tuple[str, ...]:
    """Return the forms of operations that a program has."""
    return tuple(sorted({s.form for s in _formed(program)}))


def triage_of(engine: AnyEngine, reference: Engine, ops: Collection[str] | None = None) -> Triage:
    """Return the triage for an engine."""
    runner = as_runner(engine)
    return (WholeTriage if runner.whole else Triage)(runner, reference, ops)
