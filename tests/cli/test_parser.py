"""Names that a user gives: what is asked if one is wrong, and the examples of each command."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.cli.examples import EXAMPLES
from parity.cli.main import _parser, main
from parity.cli.parser import commands_of
from tests.docs.commands import without_command
from tests.helpers.programs import write_module


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["chekc"], "did you mean check?"),
        (["check", "--engine", "dezero", "--exampels", "3"], "did you mean --examples?"),
        (["check", "--engine", "dezreo"], "did you mean dezero?"),
        (["check", "--engine", "dezero", "--reference", "exat"], "did you mean exact?"),
        (["check", "--engine", "dezero", "--ops", "softmx"], "did you mean softmax"),
        (["ops", "micrograd", "--ops", "sub,addd"], "did you mean add"),
        (["score", "--defects", "overwrit"], "did you mean overwrite?"),
        (["bench", "--parts", "tmes"], "did you mean times?"),
        (["bench", "--engines", "torhc"], "did you mean torch?"),
        (["list", "quirk"], "did you mean quirks?"),
        (["explain", "keeps_graph"], "did you mean keeps-graphs?"),
        (["completion", "bahs"], "did you mean bash?"),
        (["adapter", "new.py", "--scaler"], "did you mean --scalar"),
        (["check", "--engine", "parity.diagnose.defects.traversal:Overwrit"], "mean Overwrite?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_name_is_asked_about(
    arguments: list[str], asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert asked in err


def test_a_wrong_quirk_of_an_adapter_is_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """
        from parity.diagnose.defects.engine import TapeEngine

        class Mine(TapeEngine):
            quirks = {"keep-graphs"}
    """
    file = write_module(tmp_path, "quirky_of_a_test.py", text)
    assert main(["ops", f"{file}:Mine", "--no-isolate"]) == 2
    assert "unknown quirks: keep-graphs; did you mean keeps-graphs?" in capsys.readouterr().err


def test_each_command_has_examples() -> None:
    commands = commands_of(_parser())
    assert list(EXAMPLES) == sorted(EXAMPLES, key=list(EXAMPLES).index)
    assert set(EXAMPLES) == set(commands)
    for name, command in commands.items():
        text = command.format_help()
        assert text.endswith("\n".join(f"  {line}" for line in EXAMPLES[name]) + "\n")
        assert 2 <= len(EXAMPLES[name]) <= 3


@pytest.mark.parametrize("command", EXAMPLES)
def test_each_example_exists_with_its_options(command: str) -> None:
    script = "\n".join(EXAMPLES[command]).replace("source <(", "").replace("bash)", "bash")
    assert without_command(script.replace(" | python", " && python")) == []


@pytest.mark.parametrize("command", EXAMPLES)
def test_each_example_is_parsed(command: str) -> None:
    for line in EXAMPLES[command]:
        words = line.replace("source <(", "").replace("bash)", "bash").split()
        end = next((i for i, word in enumerate(words) if word in ("|", "<", ">")), len(words))
        assert words[0] == "parity"
        _parser().parse_args(words[1:end])
