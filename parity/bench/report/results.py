"""The result of ``parity bench --json``: dataclasses, and how a file is read into them."""

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
    """A report cannot be written; the message is one line that says why and what to do."""


@dataclass(frozen=True)
class Machine:
    """The machine of the measurement; loads are averages of one minute."""

    cpu: str = ""
    cores: Count | None = None
    memory_bytes: Count | None = None
    system: str = ""
    load_before: float | None = None
    load_after: float | None = None


@dataclass(frozen=True)
class Engine:
    """An engine, or the NumPy baseline without one."""

    version: str = ""
    baseline: bool = field(default=False, metadata={"key": "control"})


@dataclass(frozen=True)
class Workload:
    """What the program of a workload computes."""

    description: str = field(default="", metadata={"key": "says"})


@dataclass(frozen=True)
class Timing:
    """The median time of one run in milliseconds, with its interval."""

    median: Positive
    low: Positive
    high: Positive


@dataclass(frozen=True)
class Ratio:
    """PyTorch's time divided by the engine's, with its interval; not usable if ``noisy``."""

    ratio: Positive
    low: Positive
    high: Positive
    noisy: bool = False


@dataclass(frozen=True)
class ReportCase:
    """A workload with arrays of one shape and dtype."""

    workload: str
    shape: tuple[Count, ...]
    dtype: str

    @property
    def case(self) -> tuple[str, tuple[int, ...], str]:
        """The identity of the case within a result."""
        return self.workload, self.shape, self.dtype

    @property
    def elements(self) -> int:
        """Elements of an array of the workload."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Times(ReportCase):
    """Times of all engines on one case; ``not_measured``: reasons by engine."""

    nodes: Count
    rounds: Count = 0
    engines: dict[str, Timing] = field(default_factory=dict)
    ratios: dict[str, Ratio] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """Milliseconds and peak bytes of a graph with ``nodes`` operations."""

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
class Growth(ReportCase):
    """One engine on graphs of growing length; ``ended``: the reason if it stopped early."""

    engine: str
    points: tuple[Point, ...] = ()
    time_exponent: Exponent | None = None
    memory_exponent: Exponent | None = None
    bytes_per_node: float | None = field(default=None, metadata={"key": "bytes_a_node"})
    microseconds_per_node: float | None = field(
        default=None, metadata={"key": "microseconds_a_node"}
    )
    ended: str | None = None


@dataclass(frozen=True)
class Peak:
    """Peak live memory of one run, in bytes."""

    bytes: float
    bytes_per_node: float = field(metadata={"key": "bytes_a_node"})


@dataclass(frozen=True)
class Memory(ReportCase):
    """Peak memory of all engines on one case."""

    nodes: Count
    engines: dict[str, Peak] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Generator:
    """Throughput of the program generator; the last four fields are shares of the time."""

    what: str
    engine: str
    programs: Count
    statements: float
    programs_per_second: float = field(metadata={"key": "programs_a_second"})
    decoding: float
    in_engine: float
    in_reference: float
    rest: float


@dataclass(frozen=True)
class Results:
    """The result of one ``parity bench``; any part may be empty."""

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
        """The engines and the baseline, in the order of the file."""
        measured = [name for t in self.times for name in (*t.engines, *t.not_measured)]
        measured += [growth.engine for growth in self.lengths]
        measured += [name for m in self.memory for name in (*m.engines, *m.not_measured)]
        return list(dict.fromkeys([*self.engines, *measured]))

    @property
    def compared(self) -> list[str]:
        """The engines that have a ratio; the reference has none."""
        return [name for name in self.names if any(name in t.ratios for t in self.times)]

    def is_baseline(self, name: str) -> bool:
        """Whether ``name`` is the NumPy baseline."""
        return name in self.engines and self.engines[name].baseline


def load(file: Path) -> Results:
    """Read the result in a file. Raises ReportError if it is not one."""
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
    """One line of bounded length, without characters that XML or a terminal cannot show."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
