"""The verdict where the reference is a plain engine, not PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parity.cli.main import main
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite
from parity.language import program as pr
from parity.oracle.adjudicate import adjudicate
from parity.oracle.check import check_program
from parity.oracle.verdict import Verdict
from tests.helpers.programs import DEZERO, TORCH, apply, constant, leaf, program
from tests.helpers.quirk_engines import ReplacesGradients

REUSED = program([leaf(3.0)], apply("add", 0, 0), pr.Backward(1))
#: The quirk shows first, the fault later.
AGAIN = program([leaf(3.0)], apply("add", 0, 0), *[pr.Backward(1, retain_graph=True)] * 2)


class OverwritesAndReplaces(Overwrite):
    """A fault in addition to a legitimate difference that is declared."""

    quirks = frozenset({ReplacesGradients.quirk})
    store = ReplacesGradients.store
    total = ReplacesGradients.total


class Late(OverwritesAndReplaces):
    """The fault shows from the second backward on."""

    passes = 0

    def backward(self, t, gradient=None, **flags):
        self.passes += 1
        super().backward(t, gradient, **flags)

    def add(self, grads, t, g):
        TapeEngine.add(self, grads, t, g) if self.passes < 2 else super().add(grads, t, g)


@pytest.mark.parametrize("reference", [TapeEngine(), DEZERO, TORCH], ids=lambda e: e.name)
def test_a_reference_follows_the_dialect_of_the_engine(reference) -> None:
    for case, cls in ((REUSED, OverwritesAndReplaces), (AGAIN, Late)):
        finding = check_program(case, cls(), reference)
        assert finding is not None
        assert adjudicate(case, finding, cls(), reference) == Verdict("engine")


def test_a_plain_reference_that_is_wrong_is_told_from_the_engine() -> None:
    for case in (REUSED, AGAIN, program([leaf([1.0, 2.0])], apply("mul", 0, 0),
                                        pr.Backward(1, constant([1.0, 2.0])))):  # fmt: skip
        finding = check_program(case, DEZERO, Overwrite())
        assert finding is not None
        assert adjudicate(case, finding, DEZERO, Overwrite()) == Verdict("reference")


@pytest.mark.parametrize(
    ("engine", "reference", "wrong"),
    [
        ("parity.diagnose.defects.traversal:Overwrite", "dezero", "engine"),
        ("dezero", "parity.diagnose.defects.traversal:Overwrite", "reference"),
    ],
)
def test_a_run_with_another_reference_says_which_side_is_wrong(
    engine: str, reference: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["check", "--engine", engine, "--reference", reference, "--ops", "add,mul"]
    assert main([*arguments, "--examples", "20", "--json", "result.json"]) == 1
    findings = json.loads(Path("result.json").read_text())["findings"]
    assert {f["wrong"] for f in findings if f["kind"] == "gradient"} == {wrong}
