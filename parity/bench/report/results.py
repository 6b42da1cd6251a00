"""The result of ``parity bench --json``: dataclasses, and how a file is read into them."""

from __future__ import annotations

import functools
import importlib.util
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from parity._util.decode import Check, Count, Decoder, FormatError, shown
from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.files import parse_json, read_bytes
from parity.bench.report import formatting

FORMAT, VERSION = "parity-bench", 1
_HOW = "write it with parity bench --json FILE"
_MOST = 1e15
#: What is drawn on a log axis.
Positive = Annotated[float, Check("a number above 0", lambda n: 1 / _MOST <= n <= _MOST)]
FromZero = Annotated[float, Check(f"a number, 0 to {_MOST:g}", lambda n: 0 <= n <= _MOST)]
Number = Annotated[float, Check(f"a number up to {_MOST:g}", lambda n: abs(n) <= _MOST)]
#: Names are shown in tables and plots; a longer one is cut.
LONGEST = 300
#: What a report can show; a run of all workloads has some hundred figures.
MOST_ENGINES, MOST_FIGURES = 50, 50_000
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
    load_before: FromZero | None = None
    load_after: FromZero | None = None


@dataclass(frozen=True)
class Engine:
    """An engine, or the NumPy baseline without one."""

    version: str = ""
    baseline: bool = field(default=False, metadata={"key": "control"})


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: Number
    low: Number
    high: Number

    def __str__(self) -> str:
        value, low, high = map(formatting.significant, (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


@dataclass(frozen=True)
class Median(Estimate):
    """A median time in milliseconds."""

    value: Positive = field(metadata={"key": "median"})
    low: Positive
    high: Positive


@dataclass(frozen=True)
class Ratio(Estimate):
    """A time divided by another, mostly PyTorch's by the engine's; not usable if ``noisy``."""

    value: Positive = field(metadata={"key": "ratio"})
    low: Positive
    high: Positive
    noisy: bool = False

    def __str__(self) -> str:
        return "too noisy" if self.noisy else super().__str__()

    @property
    def direction(self) -> str:
        """``faster`` or ``slower`` than the reference; "" if the interval includes 1."""
        if self.noisy or self.low <= 1 <= self.high:
            return ""
        return "faster" if self.low > 1 else "slower"


@dataclass(frozen=True)
class Timing(Median):
    """The median time of one run, of its forward alone, and the ratio of the two.

    Libraries that transform functions have no forward alone, and neither have older results.
    """

    forward: Median | None = None
    gradient_to_forward: Ratio | None = None


@dataclass(frozen=True)
class ReportCase:
    """A workload with arrays of one shape and dtype."""

    workload: str
    shape: tuple[Count, ...]
    dtype: str

    def __post_init__(self) -> None:
        if self.elements > _MOST:
            raise ValueError(f"shape {shown(self.shape)} has more than {_MOST:g} elements")

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> str:
        """Shape, as NumPy writes it, and dtype."""
        return f"{self.shape or '0-d'} {self.dtype}"

    @property
    def title(self) -> str:
        """The identity of the case within a result."""
        return f"{self.workload} {self.size}"


@dataclass(frozen=True)
class Times(ReportCase):
    """Times of all engines on one case; ``not_measured``: reasons by engine."""

    nodes: Count
    engines: dict[str, Timing] = field(default_factory=dict)
    ratios: dict[str, Ratio] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """Milliseconds and peak bytes of a graph with ``nodes`` operations."""

    nodes: Count
    time: FromZero | None = None
    bytes: FromZero | None = None


@dataclass(frozen=True)
class Growth(ReportCase):
    """One engine on graphs of growing length; ``ended``: the reason if it stopped early.

    The p of an exponent is that of time or memory ~ nodes ** p.
    """

    engine: str
    points: tuple[Point, ...] = ()
    time_exponent: Estimate | None = None
    memory_exponent: Estimate | None = None
    bytes_per_node: FromZero | None = field(default=None, metadata={"key": "bytes_a_node"})
    microseconds_per_node: FromZero | None = field(
        default=None, metadata={"key": "microseconds_a_node"}
    )
    #: The part of it that builds the graph.
    forward_microseconds_per_node: FromZero | None = field(
        default=None, metadata={"key": "forward_microseconds_a_node"}
    )
    ended: str | None = None


@dataclass(frozen=True)
class Peak:
    """Peak live memory of one run, in bytes."""

    bytes: FromZero
    bytes_per_node: FromZero = field(metadata={"key": "bytes_a_node"})


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
    statements: FromZero
    programs_per_second: FromZero = field(metadata={"key": "programs_a_second"})
    decoding: FromZero
    in_engine: FromZero
    in_reference: FromZero
    rest: FromZero


@dataclass(frozen=True)
class Results:
    """The result of one ``parity bench``; any part may be empty."""

    created: str
    complete: bool
    engines: dict[str, Engine]
    seconds: FromZero | None = None
    machine: Machine = field(default_factory=Machine)
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str | bool | Number | None] = field(default_factory=dict)
    times: tuple[Times, ...] = ()
    lengths: tuple[Growth, ...] = ()
    memory: tuple[Memory, ...] = ()
    generator: tuple[Generator, ...] = ()

    def __post_init__(self) -> None:
        cases = len(self.times) + len(self.memory)
        points = sum(len(growth.points) for growth in self.lengths)
        others = len(self.lengths) + len(self.generator) + len(self.versions) + len(self.settings)
        figures = cases * len(self.names) + points + others
        if len(self.names) > MOST_ENGINES or figures > MOST_FIGURES:
            raise ValueError(
                f"it has {len(self.names):,} engines and {figures:,} figures, and a report shows "
                f"at most {MOST_ENGINES} and {MOST_FIGURES:,}"
            )

    @functools.cached_property
    def names(self) -> list[str]:
        """The engines and the baseline, in the order of the file."""
        measured = [name for t in self.times for name in (*t.engines, *t.not_measured)]
        measured += [growth.engine for growth in self.lengths]
        measured += [name for m in self.memory for name in (*m.engines, *m.not_measured)]
        return list(dict.fromkeys([*self.engines, *measured]))

    @functools.cached_property
    def compared(self) -> list[str]:
        """The engines that have a ratio; the reference has none."""
        with_ratio = {name for t in self.times for name in t.ratios}
        return [name for name in self.names if name in with_ratio]

    def is_baseline(self, name: str) -> bool:
        """Whether ``name`` is the NumPy baseline."""
        return name in self.engines and self.engines[name].baseline

    def titled(self, name: str) -> str:
        """The name of an engine as the title of a column."""
        return f"{name} (baseline)" if self.is_baseline(name) else name


def require() -> None:
    """Raise ReportError, which names the extra, if a library of templates or plots is missing."""
    missing = [n for n in ("jinja2", "matplotlib") if importlib.util.find_spec(n) is None]
    if missing:
        raise ReportError(
            f"parity report needs {' and '.join(missing)}, not installed here: "
            "pip install 'dezero-parity[report]'"
        )


def load(file: Path) -> Results:
    """Read the result in a file. Raises ReportError if it is not one."""
    try:
        data = parse_json(read_bytes(file))
    except OSError as error:
        raise ReportError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise ReportError(f"{file}: {error}; {_HOW}") from error
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
        return from_json(data)
    except FormatError as error:
        raise ReportError(f"{file}: {error}; {_HOW}") from error


def from_json(data: dict[str, Any]) -> Results:
    """The result in a JSON object. Raises FormatError if a field is missing or wrong."""
    return Decoder(text=lambda text: one_line(text, LONGEST)).decode(Results, data)
