"""What programs did that none before them did: cells of exposure, finer ones, lines.

The cells of ``parity.exposure`` are soon all reached, as the generator is made to reach
them. What comes after what in a program takes longer, and is what defects depend on.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from parity import program as pr
from parity.engines.base import Engine
from parity.exposure import reached
from parity.fuzz.cases import Case, Reader
from parity.fuzz.lines import lines_of

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
    """What the programs of one process reached; guides of the same engine may share it.

    Lines of the engine count where it runs in this process, else features only.
    """

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self.engine = engine
        self.reader = reader
        self.lines = lines_of(engine)
        self.seen: set[Feature] = set()
        self.learnt: set[Case] = set()

    def watching(self) -> AbstractContextManager[Any]:
        """A context in which programs run."""
        return self.lines.watching()

    def is_new(self, program: pr.Program) -> bool:
        """Whether ``program``, which ran last, did anything for the first time."""
        before = len(self.seen)
        self.seen |= features(program)
        new = len(self.seen) > before
        return self.lines.fresh(program, new) or new

    def learn(self, cases: Iterable[Case]) -> None:
        """Take what kept cases do as done, without running them."""
        for case in cases:
            if case not in self.learnt:
                self.learnt.add(case)
                self.seen |= features(self.reader.program(case))
