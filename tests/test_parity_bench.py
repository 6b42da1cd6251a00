"""The benchmarks measure what they say: right results, both sides, peaks above zero."""

import dataclasses
import json

import numpy as np
import pytest

from dezero.graph import next_seq
from parity.bench import measure, memory, workloads

SMALL = [w for w in workloads.WORKLOADS.values() if not w.fixed]


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")
@pytest.mark.parametrize("workload", workloads.WORKLOADS.values(), ids=lambda w: w.name)
@pytest.mark.parametrize("dtype", workloads.DTYPES)
def test_a_workload_gives_the_same_gradient_on_both_sides(workload, dtype):
    array = workloads.start((2, 2), dtype)
    measure.check(workload, workloads.DezeroSide(), workloads.TorchSide(), array)


def test_what_differs_is_not_timed():
    def wrong(side, array):
        x = side.leaf(array)
        side.backward(x * (2.0 if side.name == "dezero" else 3.0))
        return x

    workload = workloads.Workload("wrong", "", wrong)
    with pytest.raises(RuntimeError, match="wrong: dezero and torch differ, nothing was timed"):
        measure.compare(workload, (), "float64", 0)


def test_a_ratio_has_its_middle_half_around_it():
    row = measure.compare(workloads.WORKLOADS["chain"], (), "float64", 0)
    assert row.low <= row.ratio <= row.high
    assert row.pairs == 5
    assert row.dezero_ms > 0 < row.torch_ms
    assert json.loads(json.dumps(dataclasses.asdict(row)))["workload"] == "chain"


@pytest.mark.parametrize("workload", SMALL, ids=lambda w: w.name)
def test_a_longer_side_builds_a_longer_graph(workload):
    def nodes(longer):
        before = next_seq()
        with np.errstate(all="ignore"):
            workload.run(workloads.DezeroSide(longer), np.array(0.5))
        return next_seq() - before

    assert 1.9 * nodes(1) < nodes(2) < 2.1 * nodes(1)


def test_peaks_grow_with_the_graph():
    short, long = (memory.measured("deep-chain", (), "dezero", n) for n in (2_000, 40_000))
    assert long.bytes > 5 * short.bytes > 0
    assert 100 < long.bytes / long.nodes < 1000


def test_a_process_that_fails_is_told():
    with pytest.raises(RuntimeError, match=r"no-such on dezero failed: .*KeyError"):
        memory.measured("no-such", (), "dezero", 0)


def test_the_table_has_both_sides_in_a_line():
    pair = [
        memory.Peak("deep-chain", (), side, 1000, size, 0.001)
        for side, size in (("dezero", 250_000), ("torch", 1_000_000))
    ]
    header, line = memory.table(iter(pair))
    assert header.split()[:3] == ["workload", "shape", "nodes"]
    assert line.split()[:6] == ["deep-chain", "()", "1000", "0.25", "1.00", "4.00"]
    assert "dezero 250 B, 1.00 us a node" in line
