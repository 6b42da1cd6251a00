"""The result of ``parity bench --json``: read, checked, and never executed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from parity._util.decode import Check, Count, Decoder, FormatError, shown
from parity._util.errors import UsageError

FORMAT, VERSION = "parity-bench", 1
#: What is drawn on a log axis.
Positive = Annotated[float, Check("a number above 0", lambda number: number > 0)]
#: Names are shown in tables and plots; a longer one is cut.
LONGEST = 300
#: Ratios are torch's time / the engine's time.
REFERENCE = "torch"


class ReportError(UsageError):
    """There can be no report; the message is one line that says why and what to do."""


@dataclass(frozen=True)
class Machine:
    """Where the result was measured; the loads are averages of one minute."""

    cpu: str = ""
    cores: Count | None = None
    memory_bytes: Count | None = None
    system: str = ""
    load_before: float | None = None
    load_after: float | None = None


@dataclass(frozen=True)
class Engine:
    """A side that was measured; a control is no engine but the same work by hand."""

    version: str = ""
    control: bool = False


@dataclass(frozen=True)
class Workload:
    """What one program does, in words."""

    says: str = ""


@dataclass(frozen=True)
class Timing:
    """Median time of one run with its interval, in milliseconds."""

    median: Positive
    low: Positive
    high: Positive


@dataclass(frozen=True)
class Ratio:
    """Torch's time / the engine's time with its interval; if noisy, not to be read."""

    ratio: Positive
    low: Positive
    high: Positive
    noisy: bool = False


@dataclass(frozen=True)
class Case:
    """What was measured together: a workload with arrays of one shape and dtype."""

    workload: str
    shape: tuple[Count, ...]
    dtype: str

    @property
    def case(self) -> tuple[str, tuple[int, ...], str]:
        """What tells it from other cases of a result."""
        return self.workload, self.shape, self.dtype

    @property
    def elements(self) -> int:
        """Elements of an array of the workload."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Times(Case):
    """Times of all engines on one case; ``not_measured`` says of an engine why."""

    nodes: Count
    rounds: Count = 0
    engines: dict[str, Timing] = field(default_factory=dict)
    ratios: dict[str, Ratio] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One graph of ``nodes`` operations: milliseconds and peak bytes."""

    nodes: Count
    time: float | None = None
    bytes: float | None = None


@dataclass(frozen=True)
class Exponent:
    """The p of time or memory ~ nodes ** p, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Growth(Case):
    """One engine on graphs of growing length; ``ended`` says what stopped it early."""

    engine: str
    points: tuple[Point, ...] = ()
    time_exponent: Exponent | None = None
    memory_exponent: Exponent | None = None
    bytes_a_node: float | None = None
    microseconds_a_node: float | None = None
    ended: str | None = None


@dataclass(frozen=True)
class Peak:
    """Peak live memory of one run, in bytes."""

    bytes: float
    bytes_a_node: float


@dataclass(frozen=True)
class Memory(Case):
    """Peak memory of all engines on one case."""

    nodes: Count
    engines: dict[str, Peak] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Generator:
    """Speed of the generator of programs; the last four are shares of the time."""

    what: str
    engine: str
    programs: Count
    statements: float
    programs_a_second: float
    decoding: float
    in_engine: float
    in_reference: float
    rest: float


@dataclass(frozen=True)
class Results:
    """All that one ``parity bench`` measured; a section may be empty."""

    created: str
    complete: bool
    engines: dict[str, Engine]
    seconds: float | None = None
    machine: Machine = field(default_factory=Machine)
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str | bool | float | None] = field(default_factory=dict)
    workloads: dict[str, Workload] = field(default_factory=dict)
    times: tuple[Times, ...] = ()
    lengths: tuple[Growth, ...] = ()
    memory: tuple[Memory, ...] = ()
    generator: tuple[Generator, ...] = ()

    @property
    def names(self) -> list[str]:
        """The engines in the order of the file, the control among them."""
        measured = [name for t in self.times for name in (*t.engines, *t.not_measured)]
        measured += [growth.engine for growth in self.lengths]
        measured += [name for m in self.memory for name in (*m.engines, *m.not_measured)]
        return list(dict.fromkeys([*self.engines, *measured]))

    @property
    def compared(self) -> list[str]:
        """The engines that have a ratio, which all but the reference may have."""
        return [name for name in self.names if any(name in t.ratios for t in self.times)]

    def is_control(self, name: str) -> bool:
        """Whether ``name`` is the work by hand and no engine."""
        return name in self.engines and self.engines[name].control


def load(file: Path) -> Results:
    """The result in ``file``; ReportError says in one line what is wrong with it."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise ReportError(f"{file}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{file} is no JSON ({error}); {_HOW}") from error
    form = data.get("format") if isinstance(data, dict) else None
    if form != FORMAT:
        raise ReportError(f"{file} has format {shown(form)}, not {FORMAT!r}; {_HOW}")
    version = data.get("format_version")
    if version != VERSION or isinstance(version, bool):
        raise ReportError(
            f"{file} has format_version {shown(version)}, this version of parity "
            f"reads {VERSION}; measure again with it"
        )
    try:
        return Decoder(text=_printable).decode(Results, data)
    except FormatError as error:
        raise ReportError(f"{file}: {error}; {_HOW}") from error


_HOW = "write it with parity bench --json FILE"


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _printable(text: str) -> str:
    """Without what XML cannot hold and a terminal would obey; one line of bounded length."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
