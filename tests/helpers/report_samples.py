"""Results as ``parity bench --json`` writes them, made up by a rule and the same every time."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

#: How many times as fast as torch, more or less.
SPEEDS = {"dezero": 1.8, "torch": 1.0, "mygrad": 0.5, "autograd": 0.35, "micrograd": 0.2}
SPEEDS |= {"jax": 0.12, "numpy": 6.0}
WORKLOADS = ("chain", "fan-out", "random-dag", "diamond", "broadcast", "matmul", "mlp", "second")
SHAPES: tuple[list[int], ...] = ([], [16], [64, 64], [512, 512])
#: Engines that record operations, whose forward is timed apart.
TAPES = ("dezero", "torch", "mygrad", "micrograd")
TO_FORWARD = {"ratio": 3.0, "low": 2.9, "high": 3.1, "noisy": False}
NOT_MEASURED = {"micrograd": "scalars only"}
HOSTILE = "<img src=x onerror=alert(1)>|$a$_b_`c`"


def sample(seed: int = 0, faster: float = 1.0) -> dict[str, Any]:
    """All sections for six engines and the baseline; ``faster`` is dezero against the usual."""
    chance = random.Random(seed)
    return {
        "format": "parity-bench",
        "format_version": 1,
        "created": "2026-11-24T12:00:00+00:00",
        "seconds": 123.4,
        "complete": True,
        "machine": {
            "cpu": "Example CPU @ 2.50GHz",
            "cores": 2,
            "memory_bytes": 8_000_000_000,
            "system": "Linux 6.1 x86_64",
            "load_before": 0.1,
            "load_after": 0.4,
        },
        "versions": {"python": "3.11.9", "torch": "2.13.0", "parity": "0.1.0", "revision": "abc1"},
        "settings": {"quick": False, "threads": 1, "seconds_each": 0.5, "gc": "enabled", "seed": 0},
        "engines": {
            name: {"version": "1.0", **({"control": True} if name == "numpy" else {})}
            for name in SPEEDS
        },
        "workloads": {name: {"says": f"{name}, 500 times"} for name in WORKLOADS},
        "times": [
            _times(chance, workload, shape, dtype, faster)
            for workload in WORKLOADS
            for dtype in ("float32", "float64")
            for shape in SHAPES
        ],
        "lengths": [_growth(name) for name in SPEEDS if name != "numpy"],
        "memory": [_memory(workload, index) for index, workload in enumerate(WORKLOADS)],
        "generator": [_generator("suite", 1800.0), _generator("sweep", 2400.0)],
    }


def _times(
    chance: random.Random, workload: str, shape: list[int], dtype: str, faster: float
) -> dict[str, Any]:
    elements = 1
    for dimension in shape:
        elements *= dimension
    base = 2.0 + elements / 2e4
    # micrograd has scalars only.
    names = [n for n in SPEEDS if not (n == "micrograd" and shape)]
    times: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for name in names:
        speed = SPEEDS[name] * (faster if name == "dezero" else 1.0)
        ratio = (speed ** (1 / (1 + elements / 3e4))) * chance.uniform(0.97, 1.03)
        ratio = ratio if name != "torch" else 1.0
        median = base / ratio
        times[name] = {"median": median, "low": median * 0.97, "high": median * 1.04}
        times[name]["samples"] = [median * 0.97, median, median * 1.04]
        if name in TAPES:
            times[name]["forward"] = {"median": median / 3, "low": median / 4, "high": median / 2}
            times[name]["gradient_to_forward"] = TO_FORWARD
        if name != "torch":
            noisy = (name, workload, dtype) == ("jax", "diamond", "float64")
            ratios[name] = {
                "ratio": ratio, "low": ratio * 0.95, "high": ratio * 1.05, "noisy": noisy,
            }  # fmt: skip
    return {
        "workload": workload,
        "shape": shape,
        "dtype": dtype,
        "nodes": 1000,
        "rounds": 31,
        "engines": times,
        "ratios": ratios,
        "not_measured": {n: NOT_MEASURED[n] for n in SPEEDS if n not in names},
    }


def _growth(name: str) -> dict[str, Any]:
    recursive = name in ("autograd", "micrograd")
    lengths = [1000, 10_000] if recursive else [1000, 10_000, 100_000, 1_000_000]
    points = [
        {"nodes": n, "time": n * 2.6e-3 / SPEEDS[name], "bytes": n * 220.0 / SPEEDS[name] ** 0.5}
        for n in lengths
    ]
    fitted = None if recursive else {"value": 1.01, "low": 0.98, "high": 1.03}
    return {
        "workload": "deep-chain",
        "engine": name,
        "shape": [],
        "dtype": "float32",
        "points": points,
        "time_exponent": fitted,
        "memory_exponent": fitted,
        "bytes_a_node": 220.0 / SPEEDS[name] ** 0.5,
        "microseconds_a_node": 2.6 / SPEEDS[name],
        "forward_microseconds_a_node": 0.9 / SPEEDS[name] if name in TAPES else None,
        "ended": "RecursionError at 100000 nodes" if recursive else None,
    }


def _memory(workload: str, index: int) -> dict[str, Any]:
    per_node = {n: (index + 1) * 150.0 / SPEEDS[n] ** 0.5 for n in SPEEDS if n != "micrograd"}
    return {
        "workload": workload,
        "shape": [4, 4],
        "dtype": "float32",
        "nodes": 50_000,
        "engines": {n: {"bytes": b * 50_000, "bytes_a_node": b} for n, b in per_node.items()},
        "not_measured": NOT_MEASURED,
    }


def _generator(what: str, speed: float) -> dict[str, Any]:
    shares = {"decoding": 0.2, "in_engine": 0.2, "in_reference": 0.25, "rest": 0.35}
    count = {"programs": 3000, "statements": 9.0, "programs_a_second": speed}
    return {"what": what, "engine": "dezero", **count, **shares}


def ratio(value: float, low: float, high: float, noisy: bool = False) -> dict[str, Any]:
    """A ratio with its interval."""
    return {"ratio": value, "low": low, "high": high, "noisy": noisy}


def one(engine: str = "dezero", nodes: int = 10, **ratios: dict[str, Any]) -> dict[str, Any]:
    """A result with a case of 4 elements for each ratio, the workload named by its keyword."""
    return {
        "format": "parity-bench",
        "format_version": 1,
        "created": "2026-11-24T12:00:00+00:00",
        "complete": True,
        "engines": {engine: {}, "torch": {}, "numpy": {"control": True}},
        "times": [
            {
                "workload": workload,
                "shape": [2, 2],
                "dtype": "float32",
                "nodes": nodes,
                "ratios": {engine: found},
            }
            for workload, found in ratios.items()
        ],
    }


def small() -> dict[str, Any]:
    """All sections with fewer cases, for what takes its time for each plot."""
    data = sample()
    data["times"] = [
        t
        for t in data["times"]
        if (t["workload"], t["dtype"]) in (("chain", "float32"), ("diamond", "float64"))
        and t["shape"] != [64, 64]
    ]
    data["memory"] = data["memory"][:2]
    return data


def interrupted() -> dict[str, Any]:
    """What a run leaves that ended among its first measurements."""
    data = sample()
    data |= {"complete": False, "times": data["times"][:3]}
    for section in ("lengths", "memory", "generator"):
        del data[section]
    return data


def hostile() -> dict[str, Any]:
    """Markup in the place of every name."""
    text = json.dumps(small())
    for name in ("micrograd", "chain", "scalars only", "Example CPU", "RecursionError"):
        text = text.replace(name, f"{HOSTILE}{name}")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def write(folder: Path, data: dict[str, Any], name: str = "results.json") -> Path:
    """The file of a result."""
    file = folder / name
    file.write_text(json.dumps(data))
    return file
