"""What the tests of the harness share: short ways to programs, samples and findings."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings

from parity.diagnose.shrink import reduce_program
from parity.engines.adapters.dezero import Dezero
from parity.engines.adapters.torch import Torch
from parity.engines.base import Engine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import ROTATION, sweep
from parity.language import program as pr
from parity.oracle.check import check_program
from parity.oracle.finding import Finding

TORCH = Torch()
DEZERO = Dezero()


def steady(examples: int) -> settings:
    """Hypothesis with the same examples in each run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def constant(values: Any, dtype: str = "float64") -> pr.Constant:
    """A gradient of nested lists."""
    array = np.array(values, dtype)
    return pr.Constant(array.shape, tuple(array.ravel().tolist()), dtype)


def leaf(values: Any, dtype: str = "float64", requires_grad: bool = True) -> pr.Leaf:
    """A leaf of nested lists."""
    array = np.array(values, dtype)
    return pr.Leaf(array.shape, tuple(array.ravel().tolist()), dtype, requires_grad)


def apply(op: str, *inputs: int, no_grad: bool = False, **attrs: Any) -> pr.Apply:
    """An operation with attributes as keywords."""
    return pr.Apply(op, inputs, tuple(sorted(attrs.items())), no_grad)


def program(leaves: list[pr.Leaf], *statements: pr.Statement) -> pr.Program:
    """A validated program."""
    result = pr.Program(tuple(leaves), statements)
    result.validate()
    return result


def sample(profile: str, count: int, engine: Engine = DEZERO, seed: Any = 0) -> list[pr.Program]:
    """The first programs of a profile."""
    return list(itertools.islice(sweep(Decoder.of(PROFILES[profile], engine), seed), count))


def searched(
    engine: Engine, seed: int, profiles: tuple[str, ...] = ROTATION
) -> Iterator[pr.Program]:
    """Yield the programs that ``search`` runs, endlessly and before any is reduced."""
    decoders = [Decoder.of(PROFILES[name], engine) for name in profiles]
    streams = [sweep(decoder, f"{seed}:{i}") for i, decoder in enumerate(decoders)]
    return (next(stream) for stream in itertools.cycle(streams))


def check(case: pr.Program, engine: Engine) -> Finding | None:
    """The first difference between an engine and PyTorch."""
    return check_program(case, engine, TORCH)


def failing(engine: Engine, seed: int, limit: int) -> Iterator[tuple[int, pr.Program, Finding]]:
    """Number, program and finding of each of ``limit`` programs on which an engine is wrong."""
    for number, case in enumerate(itertools.islice(searched(engine, seed), limit)):
        finding = check(case, engine)
        if finding is not None:
            yield number, case, finding


def write_module(folder: Path, name: str, text: str) -> Path:
    """A Python file with ``text``, which may be indented."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


class Rounds(Dezero):
    """dezero, whose quotients are rounded twice: by the reciprocal."""

    ops: Any = {**Dezero.ops, "div_scalar": lambda a, *, c: a * (1 / c)}  # noqa: RUF012


#: A value used twice.
REUSED = program([leaf(3.0)], apply("add", 0, 0), pr.Backward(1))
#: Two leaves of which PyTorch gives 10, not 6: they share a buffer (docs/semantics.md 3.3).
SHARED = program(
    [leaf([3.0, 2.0]), leaf([4.0, 5.0])],
    apply("reshape", 0, shape=(2,)),
    apply("reshape", 1, shape=(2,)),
    apply("add", 2, 3),
    apply("mul_scalar", 4, c=2.0),
    apply("sum", 5, axis=None, keepdims=False),
    *[pr.Backward(6, retain_graph=True)] * 3,
)


def reduced_cases(
    engine: Engine, count: int, seed: int = 0, kinds: frozenset[str] = frozenset({"gradient"})
) -> Iterator[tuple[pr.Program, Finding, pr.Program, Finding]]:
    """Programs of one kind of finding before and after."""
    cases = (case for case in failing(engine, seed, 4000) if case[2].kind in kinds)
    for _, case, finding in itertools.islice(cases, count):
        small, after = reduce_program(case, finding, lambda p: check(p, engine))
        yield case, finding, small, after
