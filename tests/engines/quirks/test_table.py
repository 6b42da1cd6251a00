"""Quirks change what is expected exactly as far as they say, and hide nothing else."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.campaign.search import search
from parity.diagnose.defects.clearing import ClearDoesNothing, ZeroReplaces
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import InplaceAccumulation, Overwrite
from parity.diagnose.reproducer import script
from parity.diagnose.shrink import reduced
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.load import EngineError, load_engine
from parity.engines.quirks.table import QUIRKS, with_quirks
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language import program as pr
from parity.language.table import OPS
from parity.language.text_format import program_from_text
from parity.oracle.adjudicate import adjudicate
from parity.oracle.check import check_program
from parity.oracle.exact.engine import Exact
from parity.oracle.finding import Finding
from tests.helpers.programs import TORCH, searched, write_module
from tests.helpers.quirk_engines import (
    QUIRK_ENGINES,
    AsksForGradient,
    LeakyRelu,
    ReplacesGradients,
    declaring,
)

NOT_SEEN = "keeps-intermediate-grads"  # only the gradients of leaves are looked at
SEEDS = "seeds-any-shape-with-ones"


@functools.cache
def _programs(quirk: str, seed: int, count: int) -> tuple[pr.Program, ...]:
    """What is generated for an engine with the quirk, and programs that are rich in ties."""
    engine = declaring(QUIRK_ENGINES[quirk], quirk)
    cases = itertools.islice(searched(engine, seed), count)
    op = QUIRKS[quirk].about
    if op not in OPS:
        return tuple(cases)
    others = {"max": ("stack", "add"), "min": ("stack", "add"), "leaky_relu": ("sub",)}
    ops = (op, *others.get(op, ("add", "mul")))
    shapes: tuple[Any, ...] = ((), (2,), (2, 2))
    profile = replace(PROFILES["gradients"], ops=ops, shapes=shapes)
    ties = itertools.islice(sweep(Decoder.of(profile, engine), seed), count)
    return (*cases, *ties)


def _findings(
    engine: Engine, cases: tuple[pr.Program, ...]
) -> Iterator[tuple[pr.Program, Finding]]:
    for case in cases:
        finding = check_program(case, engine, TORCH)
        if finding is not None:
            yield case, finding


def _first(engine: Engine, cases: tuple[pr.Program, ...]) -> Finding | None:
    return next((finding for _, finding in _findings(engine, cases)), None)


@pytest.mark.parametrize("quirk", QUIRKS)
def test_an_engine_with_the_quirk_has_no_findings(quirk: str) -> None:
    engine = declaring(QUIRK_ENGINES[quirk], quirk)
    assert list(_findings(engine, _programs(quirk, 3, 300))) == []


@pytest.mark.parametrize("quirk", [q for q in QUIRKS if q != NOT_SEEN])
def test_without_the_quirk_the_dialect_is_a_finding(quirk: str) -> None:
    assert _first(QUIRK_ENGINES[quirk](), _programs(quirk, 3, 300)) is not None


@pytest.mark.parametrize("quirk", [q for q in QUIRKS if q != NOT_SEEN])
def test_a_quirk_that_the_engine_does_not_have_is_a_finding(quirk: str) -> None:
    plain = {SEEDS: AsksForGradient, "leaky-relu-slope-1-at-0": LeakyRelu}.get(quirk, TapeEngine)
    case, _ = next(_findings(declaring(plain, quirk), _programs(quirk, 3, 300)))
    if quirk != SEEDS:
        assert check_program(case, plain(), TORCH) is None


@pytest.mark.parametrize("quirk", QUIRKS)
@pytest.mark.parametrize(
    "defect", [Overwrite, ClearDoesNothing, ZeroReplaces, InplaceAccumulation], ids=lambda d: d.name
)
def test_another_defect_is_found_all_the_same(quirk: str, defect: type[TapeEngine]) -> None:
    mixed = type("Mixed", (defect, QUIRK_ENGINES[quirk]), {})
    assert _first(declaring(mixed, quirk), _programs(quirk, 3, 300)) is not None


def test_quirks_go_together() -> None:
    """Each settles its own operation, and what one clears another fills."""
    chosen = ("maximum-ties-first", "minimum-ties-both", "zeros-instead-of-none", SEEDS)
    both = {
        "rules": {
            **QUIRK_ENGINES["minimum-ties-both"].rules,
            "maximum": QUIRK_ENGINES["maximum-ties-first"].rules["maximum"],
        }
    }
    mixed = type("Mixed", (QUIRK_ENGINES["clears-grads-on-use"], QUIRK_ENGINES[chosen[2]]), both)

    def loses(self: Any, x: Any, result: Any) -> bool:
        if x.node is None:
            self.clear_grad(x)
        return False

    mixed.loses = loses  # type: ignore[attr-defined]
    quirks = (*chosen, "clears-grads-on-use")
    cases = _programs("maximum-ties-first", 5, 200) + _programs("minimum-ties-both", 5, 200)
    assert list(_findings(declaring(mixed, *quirks), cases)) == []
    for left_out in quirks:
        if left_out != SEEDS:  # the programs have gradients
            fewer = declaring(mixed, *(q for q in quirks if q != left_out))
            assert _first(fewer, cases) is not None


# What each says, on the smallest program.

GRADIENTS: dict[str, tuple[str, Any]] = {
    "clears-grads-on-use": ("x1 = mul(x0, x0)\nbackward(x1)\nx2 = neg(x0)\nbackward(x2)", -1.0),
    "clears-grads-on-use-except-views": (
        "backward(x0)\nx1 = reshape(x0, shape=(1,))\nbackward(x1)\nx2 = neg(x0)\nbackward(x2)",
        -1.0,
    ),
    "clears-grads-on-backward": ("x1 = neg(x0)\nbackward(x1)\nbackward(x0)", 1.0),
    "keeps-graphs": ("x1 = mul(x0, x0)\nbackward(x1)\nbackward(x1)", 12.0),
    "clears-graphs": ("x1 = mul(x0, x0)\nbackward(x1)\nbackward(x1)", 6.0),
    "no-grad-gives-variables": ("x1 = neg(x0)  # under no_grad\nbackward(x1)\nbackward(x0)", 1.0),
    "constants-stop-quietly": ("x1 = detach(x0)\nbackward(x1)\nbackward(x0)", 1.0),
    "clip-ties-neither": (
        "x1 = clip(x0, x_max=3.0, x_min=-1.0)\nbackward(x1)\nx2 = clip(x0, x_max=None, x_min=2.0)\n"
        "backward(x2)\nx3 = clip(x0, x_max=9.0, x_min=3.0)\nbackward(x3)",
        1.0,
    ),
    "keeps-intermediate-grads": ("x1 = neg(x0)\nbackward(x1)\nbackward(x0)", 0.0),
    "seeds-any-shape-with-ones": ("x1 = stack(x0, x0, axis=0)\nbackward(x1)", 2.0),
    "zeros-instead-of-none": ("backward(x0)\ncleargrad(x0)", 0.0),
}


@pytest.mark.parametrize("quirk", GRADIENTS)
@pytest.mark.parametrize("reference", [TORCH, Exact()], ids=lambda e: e.name)
def test_what_is_expected_follows_the_quirk(quirk: str, reference: Engine) -> None:
    text, expected = GRADIENTS[quirk]
    case = program_from_text("x0 = leaf(3.0)\n" + text)
    trace = execute(case, with_quirks(reference, frozenset({quirk})))
    assert trace.failure is None
    last = [o.array for o in trace.observations if o.what == "grad"][-1]
    assert last is not None
    assert last.tolist() == expected


@pytest.mark.parametrize("value", [3.0, 0.0, float("inf"), float("-inf")])
@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_ties_are_settled_as_the_name_says(op: str, value: float) -> None:
    case = program_from_text(
        f"x0 = leaf([{value}, 1.0])\nx1 = leaf({value})\nx2 = {op}(x0, x1)\n"
        "backward(x2, gradient=[4.0, 8.0])"
    )
    chosen = 8.0 if (value > 1.0) == (op == "maximum") else 0.0  # of the scalar, next to the tie
    for kind, first, second in (
        ("first", 4, 0),
        ("second", 0, 4),
        ("both", 4, 4),
        ("neither", 0, 0),
    ):
        with_quirk = with_quirks(TORCH, frozenset({f"{op}-ties-{kind}"}))
        observed = execute(case, with_quirk).observations
        left, right = (o.array for o in observed if o.what == "grad")
        result = next(o.array for o in observed if o.which == 2)
        assert result is not None
        assert result[0] == value
        assert np.asarray(left).tolist() == [first, 8.0 - chosen]
        assert np.asarray(right).tolist() == second + chosen


@pytest.mark.parametrize(
    ("attrs", "gradient", "expected"),
    [
        ("axis=None, keepdims=False", "4.0", [[[0, 4], [0, 0]], [[0, 0], [0, 0]]]),
        (
            "axis=2, keepdims=False",
            "[[4.0, 5.0], [6.0, 7.0]]",
            [[[0, 4], [5, 0]], [[0, 6], [7, 0]]],
        ),
        ("axis=(0, 2), keepdims=True", "[[[4.0], [5.0]]]", [[[0, 4], [5, 0]], [[0, 0], [0, 0]]]),
        ("axis=(-3, 1), keepdims=False", "[4.0, 5.0]", [[[0, 5], [4, 0]], [[0, 0], [0, 0]]]),
    ],
)
@pytest.mark.parametrize("value", [3.0, float("inf")])
@pytest.mark.parametrize("reference", [TORCH, Exact()], ids=lambda e: e.name)
def test_the_first_of_those_that_are_the_max_gets_all(
    reference: Engine, value: float, attrs: str, gradient: str, expected: Any
) -> None:
    data = f"[[[1.0, {value}], [{value}, {value}]], [[1.0, {value}], [{value}, {value}]]]"
    case = program_from_text(
        f"x0 = leaf({data})\nx1 = max(x0, {attrs})\nbackward(x1, gradient={gradient})"
    )
    observed = execute(case, with_quirks(reference, frozenset({"max-ties-first"}))).observations
    (grad,) = (o.array for o in observed if o.what == "grad")
    result = next(o.array for o in observed if o.which == 1)
    assert grad is not None
    assert result is not None
    assert (result == value).all()
    assert grad.tolist() == expected


def test_a_graph_that_is_kept_hides_no_other_error() -> None:
    """What PyTorch refuses for another reason is refused all the same, and numbers count."""
    quirk = frozenset({"keeps-graphs"})
    with_quirk = with_quirks(TORCH, quirk)
    for text in ("x1 = stack(x0, x0, axis=0)\nbackward(x1)", "x1 = detach(x0)\nbackward(x1)"):
        assert execute(program_from_text("x0 = leaf(3.0)\n" + text), with_quirk).failure is not None


def test_a_backward_replaces_only_what_it_reaches() -> None:
    case = program_from_text(
        "x0 = leaf(3.0)\nx1 = leaf(2.0)\nbackward(x0)\nbackward(x1)\nzero_grad(x0)\nbackward(x1)"
    )
    assert check_program(case, declaring(ReplacesGradients, ReplacesGradients.quirk), TORCH) is None
    with_quirk = with_quirks(TORCH, frozenset({ReplacesGradients.quirk}))
    grads = [o.array for o in execute(case, with_quirk).observations if o.what == "grad"]
    assert [None if g is None else g.tolist() for g in grads] == [1, None, 1, 1, 0, 1, 0, 1]


def test_what_a_recorded_pass_left_can_be_differentiated_later() -> None:
    """The gradient of a leaf that a pass does not reach keeps its graph."""
    case = program_from_text(
        "x0 = leaf(3.0)\nx1 = leaf(2.0)\nx2 = pow(x0, exponent=3)\n"
        "backward(x2, retain_graph=True, create_graph=True)\nbackward(x1)\n"
        "x3 = grad_of(x0)\ncleargrad(x0)\nbackward(x3)"
    )
    for reference in (TORCH, Exact()):
        with_quirk = with_quirks(reference, frozenset({ReplacesGradients.quirk}))
        grads = [o.array for o in execute(case, with_quirk).observations if o.what == "grad"]
        assert [g if g is None else g.tolist() for g in grads[-2:]] == [18.0, 1.0]


def test_under_no_grad_nothing_is_dropped() -> None:
    case = program_from_text(
        "x0 = leaf(3.0)\nbackward(x0)\nx1 = neg(x0)  # under no_grad\nbackward(x0)"
    )
    with_quirk = with_quirks(TORCH, frozenset({"clears-grads-on-use"}))
    last = [o.array for o in execute(case, with_quirk).observations if o.what == "grad"][-1]
    assert last is not None
    assert last.tolist() == 2.0


# The reference with quirks, adjudication, diagnosis and script.


def test_without_new_quirks_the_reference_is_itself() -> None:
    assert with_quirks(TORCH, frozenset()) is TORCH
    assert with_quirks(TORCH, frozenset({NOT_SEEN})) is TORCH
    engine = declaring(QUIRK_ENGINES[SEEDS], SEEDS)
    assert with_quirks(engine, frozenset({SEEDS})) is engine
    with_quirk = with_quirks(TORCH, frozenset({SEEDS}))
    assert with_quirk is with_quirks(TORCH, frozenset({SEEDS}))
    assert with_quirk.bitwise == TORCH.bitwise
    with pytest.raises(KeyError, match="no quirk is called dances"):
        with_quirks(TORCH, frozenset({"dances"}))


@pytest.mark.slow
@pytest.mark.parametrize("quirk", ["clears-grads-on-use", "zeros-instead-of-none"])
def test_third_opinion_and_diagnosis_speak_the_dialect(quirk: str) -> None:
    engine = declaring(type("Mixed", (Overwrite, QUIRK_ENGINES[quirk]), {}), quirk)
    case, finding = next(_findings(engine, _programs(quirk, 4, 300)))
    small, finding = reduced(case, finding, engine, TORCH)
    assert adjudicate(small, finding, engine, TORCH).wrong == "engine"
    (cause,) = Triage(engine, TORCH).blame(small, finding)
    assert cause.name == "overwrite"


def test_the_third_opinion_does_not_blame_the_dialect_on_either_side() -> None:
    engine = declaring(
        TapeEngine, "maximum-ties-neither"
    )  # it has not: its gradient is what differs
    case = program_from_text("x0 = leaf(3.0)\nx1 = leaf(3.0)\nx2 = maximum(x0, x1)\nbackward(x2)")
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    assert adjudicate(case, finding, engine, TORCH).wrong == "engine"


MINE = """
    from parity.engines import Engine
    from parity.diagnose.defects.engine import TapeEngine

    class Mine(TapeEngine):
        name = "mine"
        quirks = frozenset({"clears-grads-on-use"})
        broken = BROKEN

        def __init__(self):
            super().__init__()
            self.ops = {name: self.clearing(f) for name, f in self.ops.items()}

        def clearing(self, function):
            def apply(*xs, **attrs):
                for x in xs:
                    x.grad = None
                return function(*xs, **attrs)
            return apply

        def add(self, grads, t, g):
            grads[t] = g if self.broken or t not in grads else grads[t] + g
"""


def test_the_script_expects_what_the_report_expects(tmp_path: Path) -> None:
    file = write_module(tmp_path, "mine.py", MINE.replace("BROKEN", "True"))
    engine = load_engine(f"{file}:Mine")
    case = program_from_text(
        "x0 = leaf(3.0)\nx1 = neg(x0)\nbackward(x1)\nx2 = add(x0, x0)\nbackward(x2)"
    )
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    text = script(case, finding, engine, "shown.py")
    assert "clears-grads-on-use: a variable loses its gradient" in text
    right = text.replace("broken = True", "broken = False")
    assert right != text
    for name, source, status, reference in (("a.py", text, 1, "2.0"), ("b.py", right, 0, "2.0")):
        (tmp_path / name).write_text(source)
        done = subprocess.run([sys.executable, name], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == status, done.stderr
        assert f"torch, with the quirks of the engine: {reference}" in done.stdout


# Names, and what is reported.


def test_each_quirk_has_words_and_an_engine_that_has_it() -> None:
    assert set(QUIRK_ENGINES) == set(QUIRKS)
    for name, cls in QUIRKS.items():
        assert cls.quirk == name
        assert cls.description
        assert "\n" not in cls.description


@pytest.mark.parametrize(
    ("quirks", "words"),
    [
        ("dances', 'seeds-any-shape-with-ones", ["dances", "clears-grads-on-use, "]),
        ("maximum-ties-first', 'maximum-ties-both", ["exclude each other", "maximum-ties-both"]),
        ("clears-graphs', 'keeps-graphs", ["exclude each other", "keeps-graphs"]),
    ],
)
def test_quirks_that_cannot_be_are_one_line(tmp_path: Path, quirks: str, words: list[str]) -> None:
    text = f"""
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            quirks = frozenset({{'{quirks}'}})
    """
    file = write_module(tmp_path, "mine.py", text)
    with pytest.raises(EngineError) as caught:
        load_engine(f"{file}:Mine")
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_run_lists_quirks_with_their_words() -> None:
    quirk = "clears-grads-on-use"
    result = search(declaring(QUIRK_ENGINES[quirk], quirk), TORCH, 3, ops=("add",)).to_json()
    assert result["quirks"] == [quirk]
    assert result["quirks_say"] == {quirk: QUIRKS[quirk].description}
