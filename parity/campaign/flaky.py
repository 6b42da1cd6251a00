"""Engines that are not deterministic: which differences come again, and which do not.

A program that differs runs again on the same runner. If it differs each time, the finding is an
ordinary one. If it differs in some runs only, the finding is ``flaky``. An engine that keeps state
is another matter: a program agrees alone, and differs whenever certain programs ran before it.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from dataclasses import dataclass, replace

from parity.campaign.cases import FuzzInput
from parity.campaign.result import Report
from parity.diagnose.shrink import reduce_program
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine, as_runner
from parity.language.program import Program
from parity.oracle.adjudicate import adjudicate
from parity.oracle.check import check_repeatedly
from parity.oracle.finding import Finding, Kind
from parity.oracle.tolerance import same
from parity.oracle.verdict import ENGINE, ILL_CONDITIONED, Verdict

#: Further runs of a program that differs; more of one that agrees from then on, which tells a rare
#: fault from state; and runs in new processes.
RUNS, MORE, ALONE = 20, 200, 4
#: Programs that run again before another one, to see whether it differs after them.
HISTORY = 64
#: Programs of a kind that run again ``RUNS`` times, and programs that run again ``MORE`` times.
#: All others run again until they agree once.
FIRST, FIRST_RARE = 20, 3
#: A reduction has so many runs, and a candidate at most so many of them.
_BUDGET, _TRIES = 900, 60
#: Runs that differ in a row before an engine counts as worn out.
_AT_LEAST = 3
#: Reported as the probe of the finding that an engine keeps state between programs.
STATE = "programs one after another in one process"
#: ``Finding.what`` of such a finding.
KEPT = "state"

Runs = list[Finding | None]


def runs_of(
    program: Program,
    engine: AnyEngine,
    reference: Engine,
    count: int,
    until_one_agrees: bool = False,
) -> Runs:
    """Run a program ``count`` times, or until it ends the process of the engine."""
    found: Runs = []
    for finding in itertools.islice(check_repeatedly(program, engine, reference), count):
        found.append(finding)
        if until_one_agrees if finding is None else finding.stopped:
            break
    return found


def differing(found: Runs) -> list[Finding]:
    return [finding for finding in found if finding is not None]


def _agrees_from_then_on(found: Runs) -> bool:
    """Return whether no run differs after one that agrees."""
    return not differing(list(itertools.dropwhile(lambda finding: finding is not None, found)))


def _differs_from_then_on(found: Runs) -> bool:
    """Return whether all runs differ, or all after the first that does: something wore out."""
    later = list(itertools.dropwhile(lambda finding: finding is None, found))
    return all(later) and len(later) >= min(len(found), _AT_LEAST)


class Repetition:
    """Runs programs that differ again; ``judged`` says what kind of finding theirs is.

    ``disturbed`` counts programs that differ only after others. ``first``: as ``FIRST``.
    """

    def __init__(
        self, engine: AnyEngine, reference: Engine, first: tuple[int, int] = (FIRST, FIRST_RARE)
    ) -> None:
        self.engine, self.reference = as_runner(engine), reference
        self.recent: deque[Program] = deque(maxlen=HISTORY)
        self.disturbed = 0
        self._first, self._rare = first
        self._irregular: Counter[str] = Counter()

    def ran(self, program: Program, finding: Finding | None) -> None:
        """Record that a program of the search has run, with its finding before it was judged."""
        if finding is not None and finding.stopped:
            self.recent.clear()  # the process is a new one
        elif self.engine.supports(program):
            self.recent.append(program)

    def judged(self, program: Program, finding: Finding) -> Finding:
        """Return the finding, as one of kind ``flaky``, or as ``KEPT`` state of other programs.

        A program that ends the process of the engine, or does not end, is not run again.
        """
        if finding.stopped:
            return finding
        few = self._irregular[finding.kind] >= self._first
        again = self._runs(program, RUNS, until_one_agrees=few)
        if (last := again[-1]) is not None and last.stopped:
            return last
        if not _differs_from_then_on(again):
            result = self._sometimes(program, finding, again, few)
        elif self.engine.isolated:
            result = self._alone(program, finding, again, few)
        else:
            return finding
        self._irregular[finding.kind] += result.kind is Kind.FLAKY or result.what == KEPT
        return result

    def settled(self, small: tuple[Program, Finding], whole: tuple[Program, Finding]) -> Finding:
        """Return the finding of a reduced program that is not just one of some runs.

        The reduced program runs again. If it differs in some runs only, the finding is flaky; if
        it differs no more, that of the ``whole`` program is returned.
        """
        if small[1].stopped or small[0] == whole[0]:
            return small[1]
        again = self._runs(small[0], RUNS)
        found = differing(again)
        if _differs_from_then_on(again) or any(finding.stopped for finding in found):
            return small[1]
        return whole[1] if _agrees_from_then_on(again) else found[0].flaky(len(found), len(again))

    def _runs(self, program: Program, count: int, until_one_agrees: bool = False) -> Runs:
        return runs_of(program, self.engine, self.reference, count, until_one_agrees)

    def _sometimes(self, program: Program, finding: Finding, again: Runs, few: bool) -> Finding:
        """Judge a finding that did not come in each of several runs."""
        if _agrees_from_then_on(again):
            if self._rare > 0 and not few:
                self._rare -= 1
                more = self._runs(program, MORE)
                if (last := more[-1]) is not None and last.stopped:
                    return last
                if not any(more) and self._comes_after_others(program):
                    return self._kept()
                again = again + more
            elif self.disturbed:
                return self._kept()
        count = len(differing(again))
        return finding.flaky(count, len(again)) if count else finding.flaky(1, len(again) + 1)

    def _alone(self, program: Program, finding: Finding, again: Runs, few: bool) -> Finding:
        """Judge a finding that came in each of several runs, by runs in new processes."""
        with self.engine.fresh_process():
            alone = self._runs(program, 1)
            first = alone[0]
            if first is None and not few:
                alone += self._runs(program, ALONE - 1)
        if first is not None:
            return first
        if not any(alone):
            known = few and self.disturbed > 0
            steady = all(_alike(finding, one) for one in differing(again))
            if known or steady or self._comes_after_others(program):
                return self._kept()
        count = len(differing(again)) + len(differing(alone))
        return finding.flaky(count, len(again) + len(alone))

    def _comes_after_others(self, program: Program) -> bool:
        """Return whether a program differs in a new process after those that ran before it.

        Twice, the second time with one program more: a fault that comes by the number of calls,
        or by random numbers with a seed, then comes elsewhere.
        """
        if not self.recent:
            return False
        for before in ([*self.recent], [program, *self.recent]):
            with self.engine.fresh_process():
                self.engine.run(before[0])
            for other in before[1:]:
                self.engine.run(other)
            if not any(self._runs(program, 1)):
                return False
        return True

    def _kept(self) -> Finding:
        self.disturbed += 1
        return _kept_finding("the program differs after others, not alone")


def _kept_finding(shown: str) -> Finding:
    return Finding(Kind.LEAK, 0, KEPT, 0, shown, "no program changes the next")


def kept_state(disturbed: int) -> Report:
    """Return the report that an engine keeps state between programs."""
    found = _kept_finding(f"{disturbed} programs differ after others, not in that way alone")
    return Report(found, None, -1, probe=STATE)


def kept_after(program: Program, before: tuple[Program, ...], count: int, number: int) -> Report:
    """Return the report on a program that differs only after others, one of ``count``."""
    found = kept_state(count).finding
    return Report(found, program, number, verdict=Verdict(ENGINE), programs=count, before=before)


def _alike(one: Finding, other: Finding) -> bool:
    """Return whether two findings of a program show the same result of the engine."""
    if one.what != other.what or one.which != other.which or one.statement != other.statement:
        return False
    a, b = one.engine, other.engine
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b)
    return a.shape == b.shape and bool(same(a, b).all())


@dataclass
class _Group:
    """Flaky programs with one kind of difference: their number, and the smallest of them."""

    program: Program
    finding: Finding
    number: int
    case: FuzzInput | None
    count: int = 0


class FlakyPrograms:
    """The flaky programs of a search: one finding for each kind of difference."""

    def __init__(self, engine: AnyEngine, reference: Engine) -> None:
        self.engine, self.reference = engine, reference
        self.groups: dict[Kind, _Group] = {}
        self.ill_conditioned = 0

    def add(
        self, program: Program, finding: Finding, number: int, case: FuzzInput | None = None
    ) -> None:
        """Add a program, unless rounding decides in it whether the engine differs."""
        new = _Group(program, finding, number, case)
        group = self.groups.get(finding.observed, new)
        if group.count < FIRST and self._rounding_decides(program, finding):
            self.ill_conditioned += 1
            return
        self.groups.setdefault(finding.observed, group)
        if _rank(program, finding) < _rank(group.program, group.finding):
            self.groups[finding.observed] = new
            new.count = group.count
        self.groups[finding.observed].count += 1

    def _rounding_decides(self, program: Program, finding: Finding) -> bool:
        verdict = adjudicate(program, finding, self.engine, self.reference)
        return verdict.wrong == ILL_CONDITIONED

    def reports(self) -> list[tuple[Report, FuzzInput | None]]:
        """Return the findings, reduced where that is cheap, with the case of each."""
        found: dict[Program, tuple[Report, FuzzInput | None]] = {}
        for group in self.groups.values():
            small, finding = reduced_flaky(
                group.program, group.finding, self.engine, self.reference
            )
            if small in found:  # several kinds may come from one cause
                found[small][0].programs += group.count
                continue
            verdict = adjudicate(small, finding, self.engine, self.reference)
            reported = Report(finding, small, group.number, verdict=verdict, programs=group.count)
            found[small] = reported, group.case
        return list(found.values())


def _rank(program: Program, finding: Finding) -> tuple[bool, int, int]:
    assert finding.repeats is not None
    return finding.repeats.runs < RUNS, len(program.statements), len(program.leaves)


def reduced_flaky(
    program: Program, finding: Finding, engine: AnyEngine, reference: Engine
) -> tuple[Program, Finding]:
    """Reduce a flaky program; a candidate counts if it differs in any of several runs.

    A program that differs rarely is returned as it is, since a candidate would need many runs.
    """
    assert finding.repeats is not None
    tries = math.ceil(3 * finding.repeats.runs / finding.repeats.differ)
    if tries > _TRIES:
        return program, finding

    def check(candidate: Program) -> Finding | None:
        found = itertools.islice(check_repeatedly(candidate, engine, reference), tries)
        first = next(filter(None, found), None)
        return None if first is None or first.stopped else first

    plain = replace(finding, kind=finding.observed, repeats=None)
    small, _ = reduce_program(program, plain, check, _BUDGET // tries)
    again = runs_of(small, engine, reference, RUNS)
    found = differing(again)
    if not found or len(found) == len(again) or any(one.stopped for one in found):
        return program, finding
    return small, found[0].flaky(len(found), len(again))
