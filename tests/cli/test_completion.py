"""What shells complete."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from parity.cli.main import _parser, main
from parity.cli.parser import commands_of


def _script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_and_option_is_there(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = _script(shell, capsys)
    for name, command in commands_of(_parser()).items():
        assert name in text
        for action in command._actions:
            assert all(option in text for option in action.option_strings)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("parity ex", "explain"),
        ("parity check --base", "--baseline"),
        ("parity list qu", "quirks"),
        ("parity explain overwr", "overwrite"),
        ("parity check --engine dez", "dezero"),
        ("parity nothing a", ""),
    ],
)
def test_bash_completes(words: str, completed: str, capsys: pytest.CaptureFixture[str]) -> None:
    last = len(words.split()) - 1
    ask = f"COMP_WORDS=({words}); COMP_CWORD={last}; _parity; echo ${{COMPREPLY[@]}}"
    script = f"{_script('bash', capsys)}\n{ask}\n"
    done = subprocess.run(["bash", "--norc"], input=script, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (completed, "")
