"""What a command says where its output cannot be written, and after Ctrl-C: one line."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parity.cli import main
from parity.errors import UsageError
from parity.options import write_text


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _process(arguments: list[str], **options: Any) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "parity.cli", *arguments], stderr=subprocess.PIPE, **options
    )


def test_output_that_cannot_be_written_is_one_line() -> None:
    source, closed = os.pipe()
    os.close(source)
    try:
        done = _process(["adapter", "new.py"], stdout=closed)
    finally:
        os.close(closed)
    assert done.returncode == 2
    assert done.stderr.startswith(b"parity: error: the output cannot be written: Broken pipe")
    assert len(done.stderr.splitlines()) == 1


def test_letters_that_the_output_lacks_are_escaped() -> None:
    done = _process(
        ["adapter", "schön.py"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"sch\\xf6n.py written")


def test_a_device_that_is_full_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UsageError, match=f"--json {os.devnull} cannot be written: No space left"):
        write_text("--json", Path(os.devnull), "text")


def test_half_an_adapter_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("parity.adapter._operations", full)
    assert main(["adapter", "new.py"]) == 2
    assert not Path("new.py").exists()


def test_an_interrupt_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("parity.cli.hunt", pressed)
    assert main(["check", "--engine", "dezero"]) == 130
    assert capsys.readouterr() == ("", "parity: interrupted\n")
