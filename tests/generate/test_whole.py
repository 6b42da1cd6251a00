"""Programs for engines that take them whole mean the same to all others."""

from __future__ import annotations

import itertools

from parity.engines.adapters.torch_whole import TorchWhole
from parity.engines.load import load_engine
from parity.engines.runner import LocalRunner
from parity.engines.whole.runner import WholeRunner
from parity.generate.schedule import WHOLE_ROTATION, decoders_of, stream
from parity.language import program as pr
from parity.language.forms import FORMS
from parity.oracle.check import check_programs

_RUNNER = WholeRunner(LocalRunner(TorchWhole()))


def programs(count: int) -> list[pr.Program]:
    return list(itertools.islice(stream(decoders_of(_RUNNER), 0), count))


def test_forms_and_earlier_calls_come() -> None:
    several = programs(1500)
    applied = [s for p in several for s in p.statements if isinstance(s, pr.Apply)]
    assert {s.form for s in applied} == {"", *FORMS}
    assert {len(p.calls) for p in several} == {0, 1, 2}
    twice = [s for s in applied if s.form.startswith("function") and len({*s.inputs}) == 1]
    assert len([s for s in twice if len(s.inputs) == 2]) > 50


def test_they_are_valid_and_the_same_for_the_same_bytes() -> None:
    for program in programs(300):
        program.validate()
    assert programs(50) == programs(50)


def test_each_operation_is_differentiated() -> None:
    for program in programs(200):
        read = {i for s in program.statements for i in s.operands()}
        wanted = [v for v, info in enumerate(program.infos) if info.requires_grad]
        assert not [v for v in wanted if v >= len(program.leaves) and v not in read]


def test_engines_of_single_operations_agree_on_them() -> None:
    found = check_programs(programs(200), load_engine("dezero"), load_engine("torch"))
    assert [f for _, f in found if f is not None] == []


def test_only_they_have_these_profiles() -> None:
    names = {decoder.profile.name for decoder in decoders_of(load_engine("dezero"))}
    assert names.isdisjoint(WHOLE_ROTATION)
