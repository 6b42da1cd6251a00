"""What a command says where its output cannot be written, and after Ctrl-C: one line."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parity._util.errors import UsageError
from parity.cli.main import main
from parity.cli.options import write_text
from parity.oracle.check import check_programs
from tests.helpers.campaigns import FEW_OVERWRITE


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _process(arguments: list[str], **options: Any) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "parity.cli.main", *arguments], stderr=subprocess.PIPE, **options
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


def test_closed_output_is_one_line() -> None:
    """And no file that is opened later becomes the standard output."""
    command = f"exec {sys.executable} -m parity.cli.main adapter new.py >&-"
    done = subprocess.run(["/bin/sh", "-c", command], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "parity: error: standard output is closed: redirect it to a file or /dev/null\n"
    )
    assert not Path("new.py").exists()


def test_closed_errors_do_not_go_to_the_output() -> None:
    command = f"exec {sys.executable} -m parity.cli.main check --engine nothing 2>&-"
    done = subprocess.run(["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (2, "")


class FullStream(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_files_are_written_where_the_output_cannot_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", FullStream())
    assert main([*OVERWRITE, "--json", "r.json"]) == 2
    line = "parity: error: the output cannot be written: No space left on device"
    assert capsys.readouterr().err.splitlines()[1:] == [line]
    assert json.loads(Path("r.json").read_text())["findings"]


@pytest.mark.parametrize("option", ["--json", "--findings"])
def test_the_output_is_written_where_files_cannot_be(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if option == "--json":
        monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    else:
        monkeypatch.setattr("parity.campaign.search.replace_scripts", full)
    assert main([*OVERWRITE, option, "r"]) == 2
    out, err = capsys.readouterr()
    assert "gradient: a reused variable's gradient is overwritten" in out
    fault, line = err.splitlines()
    assert fault.startswith("parity: first fault: ")
    assert line.startswith("parity: error: ")
    assert "cannot be written: " in line


def test_a_file_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")

    monkeypatch.setattr("parity.campaign.search.search", full)
    assert main(["check", "--engine", "dezero"]) == 2
    err = capsys.readouterr().err
    assert err == "parity: error: /tmp/x cannot be written: No space left on device\n"


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
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("parity.engines.template.operations_in_comments", full)
    assert main(["adapter", "new.py"]) == 2
    assert not Path("new.py").exists()


def test_an_interrupt_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("parity.campaign.search.search", pressed)
    assert main(["check", "--engine", "dezero"]) == 130
    assert capsys.readouterr() == ("", "parity: interrupted\n")


def _pressed_at(number: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before a program of the next run."""

    def pressing(*arguments: Any, **options: Any) -> Iterator[Any]:
        for i, found in enumerate(check_programs(*arguments, **options)):
            for _ in range(times if i == number else 0):
                os.kill(os.getpid(), signal.SIGINT)
            yield found

    monkeypatch.setattr("parity.campaign.search.check_programs", pressing)


OVERWRITE = ["check", "--engine", FEW_OVERWRITE, "--no-isolate", "--examples", "200"]


def test_an_interrupted_check_reports_what_it_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    _pressed_at(100, 1, monkeypatch)
    assert main([*OVERWRITE, "--json", "result.json"]) == 130
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].startswith("verdict: interrupted: ")
    assert "gradient: a reused variable's gradient is overwritten" in out
    ending = ["parity: ending; Ctrl-C again quits at once", "parity: interrupted"]
    assert err.splitlines()[1:] == ending
    result = json.loads(Path("result.json").read_text())
    assert (result["interrupted"], result["programs"]) == (True, 100)
    assert {Path(f["script"]).is_file() for f in result["findings"]} == {True}
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_quits_a_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _pressed_at(100, 2, monkeypatch)
    assert main(OVERWRITE) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "parity: interrupted"


def test_an_interrupt_while_the_command_is_loaded_is_one_line() -> None:
    loading = (
        "import sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'parity.cli.main':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Pressed())\n"
        "from parity.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", loading, "check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "parity: interrupted\n")
