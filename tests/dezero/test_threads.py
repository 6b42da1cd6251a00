"""Threads: each has its own modes; leaves and graphs may be shared."""

import contextlib
import sys
import threading

import numpy as np
import pytest
import torch

from dezero import Config, Variable, no_grad, using_config
from dezero.allocator import keep_freed_memory
from tests.helpers.dezero import assert_bits, integers, leaf


def records():
    """Whether a computation is recorded now."""
    return (leaf(2.0) * 2).requires_grad


def in_thread(function):
    """The result of a function that ran in a thread of its own."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    (result,) = results
    return result


def test_a_new_thread_starts_enabled():
    with no_grad(), using_config("train", False):
        assert in_thread(records)
        assert in_thread(lambda: Config.train)
        assert not records()


def test_no_grad_in_one_thread_does_not_concern_another():
    entered, checked = threading.Event(), threading.Event()

    def other():
        with no_grad():
            entered.set()
            assert checked.wait(60)
            inside = records()
        return inside, records()

    results = []
    thread = threading.Thread(target=lambda: results.append(other()))
    thread.start()
    assert entered.wait(60)
    here = records()
    with no_grad():
        checked.set()
        thread.join()
        assert not records()
    assert here
    assert results == [(False, True)]


def test_one_object_in_two_threads_restores_the_mode_of_each():
    # Entered here first, where gradients are on, then there, where they are off; left in the
    # same order.
    mode, entered, left = no_grad(), threading.Event(), threading.Event()

    def other():
        with no_grad():
            with mode:
                entered.set()
                assert left.wait(60)
            return records()

    results = []
    thread = threading.Thread(target=lambda: results.append(other()))
    with mode:
        thread.start()
        assert entered.wait(60)
    here = Config.enable_backprop
    Config.enable_backprop = True
    left.set()
    thread.join()
    assert here
    assert results == [False]


def test_pytorch_agrees_on_nesting_and_threads():
    def recorded():
        return (torch.ones((), requires_grad=True) * 2).requires_grad

    with torch.no_grad():
        assert not recorded()
        with torch.enable_grad():
            assert recorded()
        assert in_thread(recorded)
    assert recorded()


def in_threads(functions):
    """Run functions at the same time; raise what one of them raised."""
    barrier, errors = threading.Barrier(len(functions)), []

    def run(function):
        try:
            barrier.wait(60)
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


@pytest.mark.parametrize("size", [1, 20_000])
@pytest.mark.parametrize("create_graph", [False, True])
def test_eight_threads_that_share_a_leaf_get_the_exact_sum(size, create_graph):
    passes = 40
    x = leaf(integers((size,)))

    def work(number):
        for _ in range(passes):
            (x * float(number) + x).backward(create_graph=create_graph)

    in_threads([lambda n=n: work(n) for n in range(8)])
    assert_bits(x.grad, np.full(size, passes * (sum(range(8)) + 8.0)))


def test_eight_threads_on_a_shared_graph_that_is_retained():
    x = leaf([1.0, 2.0])
    h = x * x
    y = h * 3 + h

    def work():
        for _ in range(20):
            y.backward(retain_graph=True)

    in_threads([work] * 8)
    assert x.grad.data.tolist() == [8 * 160.0, 16 * 160.0]


def test_eight_threads_record_and_do_not_record_each_for_itself():
    x = leaf(2.0)
    wrong = []

    def work(recording):
        for _ in range(200):
            if recording:
                y = x * 3
            else:
                with no_grad():
                    y = x * 3
            if y.requires_grad is not recording:
                wrong.append(recording)

    in_threads([lambda r=r: work(r) for r in [True, False] * 4])
    assert wrong == []


def test_threads_build_graphs_on_graphs_of_others():
    x = leaf(1.0)
    results = []

    def work():
        y = x
        for _ in range(200):
            y = y + x
        results.append(y)

    in_threads([work] * 8)
    total = results[0]
    for y in results[1:]:
        total = total + y
    total.backward()
    assert isinstance(total, Variable)
    assert x.grad.data == 8 * 201


def test_of_four_threads_one_gets_a_graph_and_the_others_the_error():
    for _ in range(20):
        x = leaf(integers((3,)))
        h = x
        for _ in range(50):
            h = h * 1.0
        start = threading.Barrier(4)
        outcomes = []

        def run(y, start=start, outcomes=outcomes):
            start.wait()
            with contextlib.suppress(RuntimeError):
                y.backward()
                outcomes.append(threading.get_ident())

        threads = [threading.Thread(target=run, args=(h * 1.0,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outcomes) == 1
        assert x.grad.data.tolist() == [1.0, 1.0, 1.0]


def test_keeping_freed_memory_is_asked_of_the_c_library():
    assert keep_freed_memory() in (True, False)
