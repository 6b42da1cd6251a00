"""Engines with several faults at once, drawn by seed, and what is true of them.

An engine combines values of tape parameters with wrong operations. Whether a fault matters to a
program is decided by running the program on the same engine without that fault.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from parity.campaign.operation_faults import OperationFault, operation_faults
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.vjps import INNER, RULES
from parity.engines.adapters.torch import Torch
from parity.engines.execute import execute
from parity.engines.trace import Trace
from parity.generate.schedule import decoders_of, stream
from parity.language.program import Program
from parity.oracle.check import check_program
from parity.oracle.compare import compare
from parity.oracle.tolerance import Tolerance

#: At most so many faults of the tape, and so many wrong operations.
_TAPE = _OPERATIONS = 3
#: Each fault must matter to one of the first so many programs of the check.
_PROGRAMS = 300
#: What defects may override of the engine without changing a step: constructors call the next one.
_NO_STEPS = frozenset({"__init__", "__doc__", "__module__", "name", "version"})


class Fault(Protocol):
    """What defects and faults of operations have in common."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...


def tape_faults() -> list[list[type[Defect]]]:
    """Return the faults of the tape, in groups of those that change the same steps.

    Left out are those that no program shows each time it runs, those of single operations, and
    those that combine others.
    """
    groups: dict[frozenset[str], list[type[Defect]]] = {}
    for defect in DEFECTS.values():
        combines = len([c for c in defect.__mro__ if vars(c).get("name") in DEFECTS]) > 1
        if not (defect.flaky or defect.smallest is None or combines or "rules" in steps(defect)):
            groups.setdefault(steps(defect), []).append(defect)
    return list(groups.values())


def steps(defect: type[Defect]) -> frozenset[str]:
    """Return the names of the steps that a defect defines differently from the base engine."""
    own = defect.__mro__[: defect.__mro__.index(Defect)]
    overridden = {name for cls in own for name in vars(cls).keys() & vars(TapeEngine).keys()}
    return frozenset(overridden - _NO_STEPS)


class _Engine(TapeEngine):
    """Formulas of gradients use right operations, as those that are written with NumPy do."""

    def __init__(self) -> None:
        super().__init__()
        self.functions = _right_functions(self)


def _right_functions(engine: TapeEngine) -> dict[str, Any]:
    return {name: engine.operation(*rule) for name, rule in (RULES | INNER).items()}


def engine_of(tape: Sequence[type[Defect]], operations: Sequence[OperationFault]) -> Any:
    """Return the class of an engine with these faults."""
    rules = RULES | {fault.name: fault.rule for fault in operations}
    return type("Hidden", (*tape, _Engine), {"name": "hidden", "rules": rules})


class FaultyEngine:
    """An engine with several faults, each of which matters to some program of its check."""

    def __init__(self, tape: Sequence[type[Defect]], operations: Sequence[OperationFault]) -> None:
        self.tape, self.operations = tuple(tape), tuple(operations)
        self.faults: tuple[Fault, ...] = (*self.tape, *self.operations)
        self.engine = engine_of(tape, operations)
        self.without = [
            engine_of(
                [one for one in tape if one is not fault],
                [one for one in operations if one is not fault],
            )
            for fault in self.faults
        ]

    def matters(self, program: Program) -> frozenset[int]:
        """Return the indices of the faults without which the engine behaves otherwise."""
        if program not in self._matters:
            ours = self._run(program, self.engine)
            self._matters[program] = frozenset(
                index
                for index, other in enumerate(self.without)
                if _differ(program, ours, self._run(program, other))
            )
        return self._matters[program]

    @functools.cached_property
    def _matters(self) -> dict[Program, frozenset[int]]:
        return {}

    def _run(self, program: Program, engine: Any) -> Trace:
        return execute(program, engine())  # a new one each time: faults may keep state

    def is_wrong(self, program: Program) -> bool:
        """Return whether the engine differs from PyTorch on a program."""
        return check_program(program, self.engine(), Torch()) is not None

    def all_visible(self, programs: Iterator[Program]) -> bool:
        """Return whether each fault matters to a program on which the engine is wrong."""
        hidden = set(range(len(self.faults)))
        for program in programs:
            if not hidden.isdisjoint(self.matters(program)) and self.is_wrong(program):
                hidden -= self.matters(program)
            if not hidden:
                return True
        return False


def _differ(program: Program, one: Trace, other: Trace) -> bool:
    failures = [trace.failure and trace.failure.text() for trace in (one, other)]
    return (
        failures[0] != failures[1]
        or compare(program, one, other, tolerance=Tolerance(program)) is not None
    )


def faulty_engine(seed: int, number: int) -> FaultyEngine:
    """Draw an engine of two to six faults: the same for the same numbers.

    Its check runs the programs of the seed ``number``. What is masked by other faults on all of
    the first programs cannot be found, so such an engine is drawn again.
    """
    source = random.Random(f"{seed}:{number}")
    programs = list(itertools.islice(stream(decoders_of(TapeEngine()), number), _PROGRAMS))
    while True:
        tape = _drawn_tape(source, source.randint(1, _TAPE))
        drawn = FaultyEngine(tape, _drawn_operations(source, source.randint(1, _OPERATIONS)))
        if drawn.all_visible(iter(programs)):
            return drawn


def _drawn_tape(source: random.Random, count: int) -> list[type[Defect]]:
    """Draw faults of the tape that have no step in common."""
    drawn: list[type[Defect]] = []
    groups = tape_faults()
    source.shuffle(groups)
    for group in groups:
        defect = source.choice(group)
        if len(drawn) < count and not any(steps(defect) & steps(other) for other in drawn):
            drawn.append(defect)
    return drawn


def _drawn_operations(source: random.Random, count: int) -> list[OperationFault]:
    """Draw faults of several kinds, of different operations."""
    drawn: dict[str, OperationFault] = {}
    for _, faults in source.sample(list(operation_faults()), count):
        fault = source.choice([one for one in faults if one.name not in drawn])
        drawn[fault.name] = fault
    return list(drawn.values())
