"""What is measured is right: gradients, intervals, exponents, peaks."""

import math
import warnings

import numpy as np
import pytest

from dezero.graph import next_seq
from parity._util.errors import UsageError
from parity.bench import statistics
from parity.bench.backends.base import TapeBackend
from parity.bench.backends.libraries import BACKENDS, BASELINE, check_names, load_backend
from parity.bench.client import Worker, WorkerError, environment, once
from parity.bench.measure import DIFFERS, TimedCase, difference, row
from parity.bench.memory import Growth
from parity.bench.workload import SHAPES, start
from parity.bench.workloads import DEEP_CHAIN, WORKLOADS

ALL = (*BACKENDS, BASELINE)


def _gradients(backend, workload, shape, dtype, steps):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        leaves = workload.leaves(start(shape, dtype))
        return [np.array(backend.array(g)) for g in backend.run(workload, leaves, steps)]


@pytest.mark.parametrize("name", [name for name in ALL if name != "torch"])
@pytest.mark.parametrize("workload", [*WORKLOADS.values(), DEEP_CHAIN], ids=lambda w: w.name)
def test_every_engine_computes_every_workload_or_says_why_not(workload, name):
    backend, torch = load_backend(name), load_backend("torch")
    for shape in workload.shapes(((), (3, 3))):
        for dtype in ("float32", "float64"):
            if backend.unsupported(workload, shape, dtype) is None:
                ours, theirs = (_gradients(s, workload, shape, dtype, 12) for s in (backend, torch))
                assert difference(ours, theirs, dtype) is None
                assert {g.dtype.name for g in ours} == {dtype}


@pytest.mark.parametrize(
    ("name", "workload", "shape", "dtype", "reason"),
    [
        ("micrograd", "chain", (4, 4), "float64", "scalars only"),
        ("micrograd", "mlp-step", (), "float64", "scalars only"),
        ("micrograd", "chain", (), "float32", "float64 only"),
        ("micrograd", "chain", (), "float64", None),
        ("mygrad", "second-order", (), "float64", "no second order"),
        ("numpy", "random-dag", (), "float64", "no NumPy baseline"),
        ("numpy", "mlp-step", (), "float64", None),
        (
            "parity.engines.adapters.micrograd:Micrograd",
            "second-order",
            (),
            "float64",
            "no second order",
        ),
    ],
)
def test_what_a_backend_does_not_support(name, workload, shape, dtype, reason):
    assert load_backend(name).unsupported(WORKLOADS[workload], shape, dtype) == reason


@pytest.mark.parametrize("workload", ["chain", "mlp-step", "second-order", "broadcast"])
def test_an_adapter_is_measured_by_its_operations(workload):
    workload = WORKLOADS[workload]
    backend, torch = load_backend("parity.engines.adapters.dezero:Dezero"), load_backend("torch")
    shape = workload.shapes(((3, 3),))[0]
    ours, theirs = (_gradients(s, workload, shape, "float64", 5) for s in (backend, torch))
    assert difference(ours, theirs, "float64") is None


def test_names_are_checked():
    check_names(["dezero", "some.module:Class"])
    with pytest.raises(UsageError, match=r"'foo' is not known: use dezero, torch, .*file.py:Class"):
        check_names(["foo"])


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mygrad", None)
    with pytest.raises(UsageError, match=r"mygrad is not installed here: .*parity\[peer"):
        check_names(["mygrad"])


@pytest.mark.parametrize(
    "workload", [w for w in WORKLOADS.values() if not w.fixed], ids=lambda w: w.name
)
def test_nodes_are_those_of_the_graph(workload):
    def made(steps):
        before = next_seq()
        _gradients(load_backend("dezero"), workload, (2, 2), "float64", steps)
        return next_seq() - before

    one, two = (made(n * workload.steps[0]) for n in (1, 2))
    # A second order also makes nodes of the gradient.
    expected = workload.nodes * workload.steps[0]
    assert two - one == expected if workload.order == 1 else two - one > expected


def test_large_arrays_have_shorter_graphs():
    chain = WORKLOADS["chain"]
    assert [TimedCase(chain, shape, "float32").steps for shape in SHAPES] == [500, 500, 500, 20]
    assert WORKLOADS["broadcast"].shapes() == SHAPES[1:]
    assert WORKLOADS["mlp-step"].shapes() == ((64, 784),)


class _Doubling(TapeBackend):
    name = "wrong"

    def __init__(self):
        self.right = load_backend("dezero")

    def gradients(self, function, arrays, order):
        return [self.right.array(g) * 2 for g in self.right.gradients(function, arrays, order)]

    def array(self, t):
        return t


def test_what_differs_is_not_timed():
    case = TimedCase(WORKLOADS["fan-out"], (), "float64")
    found = row(case, [_Doubling(), load_backend("torch"), load_backend("dezero")], 0.0, 0)
    assert list(found["engines"]) == ["torch", "dezero"]
    assert found["not_measured"]["wrong"].startswith(DIFFERS)


def test_a_row_has_what_the_format_says():
    case = TimedCase(WORKLOADS["matmul"], (4, 4), "float32")
    found = row(case, [load_backend(n) for n in ("dezero", "torch", "micrograd", "numpy")], 0.0, 0)
    assert (found["workload"], found["shape"], found["nodes"]) == ("matmul", [4, 4], 20)
    assert set(found["engines"]) == {"dezero", "torch", "numpy"}
    assert set(found["ratios"]) == {"dezero", "numpy"}
    assert found["not_measured"] == {"micrograd": "scalars only"}
    for engine in found["engines"].values():
        assert len(engine["samples"]) == found["rounds"] == 7
        assert 0 < engine["low"] <= engine["median"] <= engine["high"]
    for ratio in found["ratios"].values():
        assert ratio["low"] <= ratio["ratio"] <= ratio["high"]


def test_the_forward_is_timed_apart_where_there_is_one():
    case = TimedCase(WORKLOADS["chain"], (), "float64")
    names = ("dezero", "torch", "autograd", "numpy")
    engines = row(case, [load_backend(n) for n in names], 0.0, 0)["engines"]
    assert [n for n in names if "forward" in engines[n]] == ["dezero", "torch"]
    for name in ("dezero", "torch"):
        forward, gradient = (engines[name][key] for key in ("forward", "gradient_to_forward"))
        assert 0 < forward["low"] <= forward["median"] <= forward["high"]
        assert 1 < gradient["low"] <= gradient["ratio"] <= gradient["high"]
        assert isinstance(gradient["noisy"], bool)


class _Traced(TapeBackend):
    """Writes down what happens and when its output is freed."""

    class Tensor:
        def __init__(self, events, grad=1.0):
            self.events, self.grad = events, grad

        def __mul__(self, other):
            self.events.append("forward")
            return _Traced.Tensor(self.events)

        __add__ = __mul__

        def backward(self):
            self.events.append("backward")

        def __del__(self):
            self.events.append("freed")

    def __init__(self):
        self.events = []

    def leaf(self, array):
        return self.Tensor(self.events)


def test_freeing_the_graph_is_part_of_the_time():
    backend, ticks = _Traced(), iter(range(9))

    def now():
        backend.events.append("now")
        return float(next(ticks))

    took = TimedCase(DEEP_CHAIN, (), "float64").parts(backend, now)
    assert (took.seconds, took.forward) == (2.0, 1.0)
    forward = ["forward", "forward", "freed"]
    expected = ["now", *forward, "now", "backward", "freed", "freed", "now"]
    assert backend.events == expected


# Statistics.


def test_a_bootstrap_of_equal_samples_has_no_width():
    assert statistics.median([2.0] * 9, 1) == statistics.Interval(2.0, 2.0, 2.0)


def test_a_bootstrap_is_where_the_theory_puts_it():
    samples = list(np.random.default_rng(3).normal(10, 1, 400))
    found = statistics.median(samples, 0)
    # The median's standard error is 1.2533 / sqrt(n) of a normal sample.
    half = 1.96 * 1.2533 / math.sqrt(len(samples))
    assert found.value == np.median(samples)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.3)
    assert found == statistics.median(samples, 0)


def test_a_ratio_is_one_of_pairs():
    drift = np.linspace(1, 5, 21)  # what slows both down is not seen
    found = statistics.ratio(list(3 * drift), list(drift), 0)
    assert found.low == pytest.approx(3)
    assert found.high == pytest.approx(3)


@pytest.mark.parametrize(
    ("low", "high", "noisy"),
    [(1.9, 2.1, False), (1.61, 2.49, False), (1.59, 2.1, True), (1.9, 2.51, True)],
)
def test_wide_intervals_are_noisy(low, high, noisy):
    assert statistics.Interval(2.0, low, high).noisy is noisy


def test_an_exponent_is_fitted():
    sizes = [10, 100, 1000, 10_000]
    exact = statistics.exponent(sizes, [3 * n**1.5 for n in sizes])
    assert [exact.value, exact.low, exact.high] == pytest.approx([1.5] * 3)
    # y = 0, 1, 1, 2 over x = 0, 1, 2, 3: slope 0.6, residuals 0.1, 0.3, 0.3, 0.1 in size.
    found = statistics.exponent([1, 10, 100, 1000], [1, 10, 10, 100])
    error = math.sqrt(0.2 / 2 / 5)
    assert found.value == pytest.approx(0.6)
    assert found.high - found.value == pytest.approx(4.303 * error)
    assert statistics.exponent([1, 2], [1, 2]) is None
    assert statistics.exponent([1, 2, 3], [1, 0, 2]) is None


# Growth and processes.


def test_growth_ends_where_an_engine_does():
    growth = Growth("mine", "float32")
    for nodes in (100, 1000, 10_000):
        assert growth.goes_on(nodes, 1.0)
        growth.add(nodes, {"seconds": nodes * 1e-5, "bytes": nodes * 200})
    growth.end(100_000, "RecursionError: maximum recursion depth exceeded")
    assert not growth.goes_on(1_000_000, 100.0)
    assert growth.to_json()["forward_microseconds_a_node"] is None
    growth.forward = 0.04
    found = growth.to_json()
    assert found["forward_microseconds_a_node"] == 4
    assert found["ended"] == "RecursionError at 100000 nodes"
    assert found["time_exponent"]["value"] == 1
    assert (found["bytes_a_node"], found["microseconds_a_node"]) == (200, 10)
    assert found["points"][0] == {"nodes": 100, "time": 1.0, "bytes": 20_000}


def test_what_would_take_too_long_is_not_tried():
    growth = Growth("mine", "float32")
    growth.add(1000, {"seconds": 1.0, "bytes": 1})
    assert not growth.goes_on(100_000, 90.0)
    assert growth.ended == "not tried at 100000 nodes: more than 90 s"


def _peak(nodes):
    task = {"do": "peak", "engine": "dezero", "workload": "deep-chain", "shape": ()}
    return once({**task, "dtype": "float32", "longer": nodes // 2}, 1, 60.0)


def test_peaks_grow_with_the_graph():
    short, long = _peak(2_000), _peak(40_000)
    assert long["bytes"] > 5 * short["bytes"] > 0
    assert 100 < long["bytes"] / 40_000 < 1000
    assert 0 < long["forward"] < long["seconds"]


def test_a_process_says_how_it_failed():
    with Worker() as worker:
        with pytest.raises(WorkerError, match="KeyError: 'no-such'"):
            worker.ask({"do": "peak", "engine": "dezero", "workload": "no-such", "shape": ()})
        with pytest.raises(WorkerError, match="no attribute 'nothing'"):
            worker.ask({"do": "nothing"})  # it goes on
        with pytest.raises(WorkerError, match=r"no end after 0\.01 s"):
            worker.ask({"do": "generator", "engine": "dezero", "programs": 10**6, "seed": 0}, 0.01)


def test_threads_are_set_before_libraries_are_loaded():
    assert environment(3)["OPENBLAS_NUM_THREADS"] == "3"
    assert "multi_thread_eigen=false" in environment(1)["XLA_FLAGS"]
