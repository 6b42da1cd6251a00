"""Indices as data: their shapes are NumPy's, and what is no index is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.language.attributes import INDEX
from parity.language.indexing import (
    get_item,
    get_item_choices,
    real_index,
    slice_backwards,
    slice_backwards_choices,
)
from parity.language.shapes import ShapeError

SHAPES = [shape for n in range(4) for shape in itertools.product((0, 1, 2, 3), repeat=n)]
ITEMS = st.one_of(
    st.integers(-3, 2),
    st.tuples(st.just("slice"), *(st.none() | st.integers(-3, 3),) * 2, st.none() | st.just(2)),
    st.tuples(st.just("list"), st.lists(st.integers(-2, 2), max_size=3).map(tuple)),
    st.tuples(st.just("mask"), st.lists(st.booleans(), max_size=3).map(tuple)),
    st.sampled_from(["...", "newaxis", ("array", ((0, 1), (-1, 0))), ("mask", ((True, False),))]),
)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_choices_give_the_shapes_of_numpy(shape: Any) -> None:
    array = np.zeros(shape)
    for choice in get_item_choices(shape):
        assert INDEX.check(choice["index"])
        assert get_item(shape, **choice) == (array[real_index(choice["index"])].shape,)
    for choice in slice_backwards_choices(shape):
        part = slice(choice["start"], choice["stop"], choice["step"])
        found = array[(slice(None),) * choice["axis"] + (part,)]
        assert slice_backwards(shape, **choice) == (found.shape,)


@given(st.sampled_from(SHAPES), ITEMS | st.lists(ITEMS, max_size=3).map(tuple))
def test_any_index_gives_the_shape_of_numpy_or_is_refused(shape: Any, index: Any) -> None:
    if not INDEX.check(index):
        return
    try:
        (found,) = get_item(shape, index=index)
    except ShapeError:
        return
    assert np.zeros(shape)[real_index(index)].shape == found


@pytest.mark.parametrize(
    "index",
    [
        ("mask", ((True,), (True, False))),
        ("mask", (1, 0)),
        ("array", (0.5,)),
        ("array", ((0, 1), (2,))),
        ("slice", 1, None, -1),
        ("list", (True,)),
        ("...", "..."),
        ("what", 1),
        2.0,
    ],
)
def test_what_is_no_index_is_refused(index: Any) -> None:
    assert not INDEX.check(index)
