"""Arrays by pattern: written as a short expression, read back, and checked before they are made."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from parity.diagnose.reproducer import array_literal
from parity.engines.isolation.codec import program_head, read_program
from parity.language import program as pr
from parity.language.json_format import dumps, program_from_json, program_to_json
from parity.language.patterns import Pattern
from parity.language.text_format import program_from_text
from parity.oracle.exactness import is_exact

TEXT = """\
x0 = leaf(pattern(4, 250, start=3, step=5), float32)
x1 = sum(x0, axis=0, keepdims=False)
backward(x1, gradient=pattern(250, low=-3, over=2), float32)"""


@pytest.mark.parametrize(
    "pattern",
    [
        Pattern(7),
        Pattern(1000, start=3, step=5),
        Pattern(300, 7, 4, 251, -125, 70),
        Pattern(0),
        Pattern(1),
        Pattern(40, period=1, low=1, over=1),
    ],
)
def test_a_pattern_is_the_sequence_of_its_formula(pattern: Pattern) -> None:
    p = pattern
    expected = [((p.start + p.step * i) % p.period + p.low) / p.over for i in range(len(pattern))]
    assert list(pattern) == pattern.array().tolist() == expected
    assert [pattern[i] for i in range(len(pattern))] == expected
    assert pattern[2:5] == tuple(expected[2:5])
    assert set(pattern.distinct()) == set(expected)
    assert eval(pattern.expression(), {"np": np}).tolist() == expected


def test_a_program_with_patterns_stays_short_and_is_read_back() -> None:
    program = program_from_text(TEXT)
    assert str(program) == TEXT
    text = dumps(program)
    assert len(text) < 700
    assert program_from_json(json.loads(text)) == program
    assert read_program(json.loads(json.dumps(program_head(program)))) == program


def test_the_array_is_that_of_the_numbers_one_by_one() -> None:
    program = program_from_text(TEXT)
    leaf = program.leaves[0]
    plain = pr.Leaf(leaf.shape, tuple(leaf.values), leaf.dtype)
    assert np.array_equal(leaf.array(), plain.array())
    assert leaf.array().dtype == np.float32
    literal = eval(array_literal(leaf), {"np": np})
    assert np.array_equal(literal, leaf.array())
    assert (literal.dtype, literal.shape) == (np.float32, (4, 250))


@pytest.mark.parametrize(("over", "exact"), [(4, True), (10, False)])
def test_patterns_over_a_power_of_two_are_exact(over: int, exact: bool) -> None:
    leaf = pr.Leaf((1000,), Pattern(1000, over=over))
    total = pr.Apply("sum", (0,), (("axis", None), ("keepdims", False)))
    assert is_exact(pr.Program((leaf,), (total, pr.Backward(1)))) is exact


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pattern(4000000000)", "shape[0] is 4000000000"),
        ("pattern(1025, 1025)", "more than 1,048,576 elements"),
        ("pattern(3, start='a')", "values.start is 'a', not a whole number"),
        ("pattern(3, step=-1)", "values.step is -1"),
        ("pattern(3, over=0)", "values.over is 0"),
        ("pattern(3, period=10000000)", "values.period is 10000000"),
        ("pattern(3, size=4)", "the lengths of a pattern say"),
        ("pattern(3, of=4)", "unknown field 'of'"),
        ("pattern([3])", "shape[0] is [3]"),
        ("pattern(pattern(3))", "expected a value"),
        ("[pattern(3)]", "expected a value"),
        ("pattern", "expected '('"),
        ("pattern(" * 40, "nested"),
    ],
)
def test_a_wrong_pattern_gets_one_line(text: str, says: str) -> None:
    with pytest.raises(pr.ProgramError) as error:
        program_from_text(f"x0 = leaf({text})")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"size": 5}, "5 values for shape (1000,)"),
        ({"size": 10**12}, "values.size is 1000000000000"),
        ({"period": True}, "values.period is True"),
        ({"low": 0.5}, "values.low is 0.5"),
    ],
)
def test_a_wrong_pattern_in_json_is_refused(changed: dict[str, object], says: str) -> None:
    program = pr.Program((pr.Leaf((1000,), Pattern(1000)),), ())
    data = json.loads(json.dumps(program_to_json(program)))
    data["leaves"][0]["values"] |= changed
    with pytest.raises(pr.ProgramError) as error:
        program_from_json(data)
    assert says in str(error.value)


def test_many_patterns_are_refused_before_one_is_made() -> None:
    code = f"""
import tracemalloc
from parity.language.text_format import program_from_text
tracemalloc.start()
try:
    program_from_text({chr(10).join(f"x{i} = leaf(pattern(1024, 1024))" for i in range(99))!r})
except ValueError as error:
    print(error)
print(tracemalloc.get_traced_memory()[1] < 4_000_000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "its values have more than 4,194,304 elements together",
        "True",
    ]
