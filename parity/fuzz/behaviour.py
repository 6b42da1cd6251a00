"""What programs did that none before them did: cells of exposure, finer ones, lines.

The cells of ``parity.exposure`` are soon all reached, as the generator is made to reach
them. What comes after what in a program takes longer, and is what defects depend on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from parity import program as pr
from parity.engines.base import Engine
from parity.execute import execute
from parity.exposure import reached
from parity.fuzz.cases import Case, Reader
from parity.fuzz.lines import Lines, lines_of

Feature = tuple[Any, ...]

#: Operands from here on are not told apart.
_FAR = 2
#: What happens to a graph, its gradients and the user's own arrays.
_EVENTS = (pr.Backward, pr.Clear, pr.Zero, pr.ChangeGrad, pr.ChangeGradient, pr.TakeGrad)


def features(program: pr.Program) -> set[Feature]:
    """What a program does, independent of the engine.

    The cells of exposure; which operation's result goes into which operand of which
    operation; from which a backward starts; three events in a row.
    """
    infos = [leaf.info() for leaf in program.leaves]
    makers = ["leaf"] * len(infos)
    found: set[Feature] = set()
    words = []
    for statement in program.statements:
        word = statement.keyword
        if isinstance(statement, pr.Apply):
            word = statement.op
            for position, i in enumerate(statement.inputs):
                found.add(("flow", makers[i], word, min(position, _FAR)))
        elif isinstance(statement, _EVENTS):
            words.append(word)
            if isinstance(statement, pr.Backward):
                found.add(("root", makers[statement.value], statement.gradient is None))
        outputs = pr.outputs_of(statement, infos)
        infos += outputs
        makers += [word] * len(outputs)
    found.update(("row", *three) for three in zip(words, words[1:], words[2:], strict=False))
    found.update(reached(program, infos))
    return found


class Behaviour:
    """What the programs of a run reached: features, and lines of an engine in this process."""

    def __init__(self, seen: Iterable[Feature], lines: Lines) -> None:
        self.seen = set(seen)
        self.lines = lines

    def is_new(self, program: pr.Program) -> bool:
        """Whether ``program``, which ran last, did anything for the first time."""
        before = len(self.seen)
        self.seen |= features(program)
        new = len(self.seen) > before
        return self.lines.fresh(program, new) or new


class Learnt:
    """What kept cases do, worked out once in a process for all its guides.

    Lists of kept cases grow at their end, so that only the new ones are looked at. What is
    said of a list depends on it alone, not on the lists before.
    """

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self.engine = engine
        self.reader = reader
        self._forget()

    def _forget(self) -> None:
        self.cases: list[Case] = []
        #: Those that do what none before them in the list does.
        self.useful: list[Case] = []
        self.known = Behaviour((), lines_of(self.engine))

    def of(self, cases: Sequence[Case]) -> tuple[list[Case], Behaviour]:
        """The cases that are worth a change, and a behaviour that knows what all of them do.

        Runs those that it has not seen on the engine, if that is in this process.
        """
        if self.cases != list(cases[: len(self.cases)]):
            self._forget()
        new = cases[len(self.cases) :]
        if new:
            with self.known.lines.watching():
                self.useful += [case for case in new if self._adds(case)]
            self.cases += new
        known = self.known
        return list(self.useful), Behaviour(known.seen, known.lines.copy())

    def _adds(self, case: Case) -> bool:
        program = self.reader.program(case)
        if self.known.lines.watches:
            execute(program, self.engine)
        return self.known.is_new(program)
