"""What an engine declares of shapes and attributes, and the programs that it gets."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.engines import Unsupported
from parity.engines.isolation.isolated import IsolatedRunner
from parity.engines.load import EngineError, load_engine
from parity.engines.runner import LocalRunner, as_runner
from parity.engines.selfcheck import remarks
from parity.generate.schedule import decoders_of, stream
from parity.language.program import Apply
from parity.language.restrictions import ANYTHING, Restrictions
from parity.language.text_format import program_from_text
from parity.oracle.probes import PROBES
from tests.helpers.programs import TORCH, write_module

PROGRAMS = 300


class OneAxis(TapeEngine):
    """Takes one axis at a time, and no keepdims."""

    name = "one-axis"
    attribute_limits = {"axis": "integer", "keepdims": (False,)}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.ops = {name: self._one(f) for name, f in self.ops.items()}

    def _one(self, function: Any) -> Any:
        def apply(*xs: Any, **attrs: Any) -> Any:
            if not isinstance(attrs.get("axis", 0), int) or attrs.get("keepdims"):
                raise Unsupported("several axes")
            return function(*xs, **attrs)

        return apply


class Matrices(TapeEngine):
    """Has no tensors of less than two dimensions."""

    name = "matrices"
    min_ndim = 2

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        if array.ndim < 2:
            raise Unsupported("vectors")
        return super().leaf(array, requires_grad)


def _programs(engine: TapeEngine) -> list[Any]:
    return list(itertools.islice(stream(decoders_of(engine), 0), PROGRAMS))


@pytest.mark.parametrize("cls", [OneAxis, Matrices])
def test_no_program_is_lost_and_many_operations_are_left(cls: type[TapeEngine]) -> None:
    runner = LocalRunner(cls())
    programs = _programs(cls())
    assert [p for p in programs if not runner.supports(p)] == []
    assert [p for p in programs if runner.run(p).unsupported] == []
    applied = sum(isinstance(s, Apply) for p in programs for s in p.statements)
    usual = sum(isinstance(s, Apply) for p in _programs(TapeEngine()) for s in p.statements)
    assert applied > 0.8 * usual
    assert {s.op for p in programs for s in p.statements if isinstance(s, Apply)} >= {"sum", "max"}


def test_without_the_declaration_many_are_lost() -> None:
    class Silent(OneAxis):
        attribute_limits = {}  # noqa: RUF012

    runner = LocalRunner(Silent())
    lost = [p for p in _programs(Silent()) if runner.run(p).unsupported]
    assert len(lost) > PROGRAMS / 5


def test_results_have_as_many_dimensions() -> None:
    for program in _programs(Matrices()):
        assert all(len(info.shape) >= 2 for info in program.infos)


@pytest.mark.parametrize("cls", [OneAxis, Matrices])
def test_the_self_check_and_the_probes_keep_to_it(cls: type[TapeEngine]) -> None:
    assert list(remarks(cls(), TORCH)) == []
    assert next(PROBES[1].run(cls()), None) is None


def test_an_isolated_engine_says_the_same(tmp_path: Path) -> None:
    text = """
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            name = "mine"
            min_ndim = 1
            attribute_limits = {"axis": "integer", "sum.axis": (0, None), "keepdims": (False,)}
    """
    file = write_module(tmp_path, "limited_of_a_test.py", text)
    runner = IsolatedRunner(f"{file}:Mine")
    try:
        local = as_runner(load_engine(f"{file}:Mine"))
        assert runner.restrictions == local.restrictions
        assert runner.restrictions.allow("sum", (("axis", None),))
        assert not runner.restrictions.allow("max", (("axis", None),))
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("limit", "taken", "refused"),
    [
        ("integer", [0, -1], [None, (0,), True]),
        ("integer or None", [0, None], [(0, 1)]),
        ("integer, not negative", [0, 2], [-1, None]),
        ("not negative", [None, (0, 1)], [(0, -1)]),
        ("finite", [1.0, None], [float("inf")]),
        ("integers and slices", [0, (0, ("slice", 1, None, None))], ["newaxis", ("list", (0, 1))]),
        ((False,), [False], [True, 0]),
        ((None, (0, 1)), [None, (0, 1)], [(1, 0), 0]),
    ],
)
def test_words_and_values(limit: Any, taken: list[Any], refused: list[Any]) -> None:
    some = Restrictions(attributes={"axis": limit})
    assert [v for v in taken if not some.allow("sum", (("axis", v),))] == []
    assert [v for v in refused if some.allow("sum", (("axis", v),))] == []
    assert some.allow("sum", (("keepdims", True),))


def test_what_is_said_of_one_operation_comes_first() -> None:
    some = Restrictions(attributes={"axis": "integer", "sum.axis": (None,)})
    assert some.allow("sum", (("axis", None),))
    assert not some.allow("sum", (("axis", 0),))
    assert not some.allow("max", (("axis", None),))


def test_a_program_is_supported_or_not() -> None:
    program = program_from_text("x0 = leaf([3.0])\nx1 = sum(x0, axis=0, keepdims=True)")
    assert not ANYTHING
    assert ANYTHING.support(program)
    assert Restrictions(1).support(program)
    assert not Restrictions(2).support(program)
    assert not Restrictions(attributes={"keepdims": (False,)}).support(program)


def test_reports_list_what_is_not_tested() -> None:
    words = list(Restrictions(2, {"axis": "integer", "keepdims": (False,)}).words())
    assert words == [
        "fewer dimensions than 2",
        "axis other than 'integer'",
        "keepdims other than False",
    ]
    assert set(words[1:]) <= set(decoders_of(OneAxis())[0].untested)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("min_ndim = -1", "min_ndim -1 is not an int of 0 or more"),
        ("min_ndim, max_ndim = 2, 1", "min_ndim 2 is above max_ndim 1"),
        ("attribute_limits = 3", "attribute_limits 3 is not a dict"),
        ("attribute_limits = {'axs': 'integer'}", "no operation has 'axs'; did you mean axis"),
        ("attribute_limits = {'axis': 'intger'}", "'intger' is no limit; did you mean integer"),
        ("attribute_limits = {'axis': 3}", "neither a text nor a tuple of values: 3"),
    ],
)
def test_a_wrong_declaration_is_one_line(line: str, words: str, tmp_path: Path) -> None:
    text = f"""
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            name = "mine"
            {line}
    """
    name = f"wrong_{abs(hash(line))}.py"
    file = write_module(tmp_path, name, text)
    with pytest.raises(EngineError) as caught:
        load_engine(f"{file}:Mine")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
