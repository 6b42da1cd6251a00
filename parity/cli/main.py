"""The entry point of the ``parity`` command."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from parity import __version__
from parity._util.errors import CANNOT_RUN, UsageError
from parity._util.process import INTERRUPTED, Interrupts
from parity.cli.bench import add_bench, add_report
from parity.cli.campaign import add_corpus_commands, add_fuzz
from parity.cli.check import add_check
from parity.cli.completion import add_completion
from parity.cli.evaluate import add_score, add_survey
from parity.cli.hygiene import add_hygiene
from parity.cli.lookup import add_lookup
from parity.cli.ops import add_ops
from parity.cli.parser import Parser, add_examples


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its status.

    That is 0 (parity), 1 (findings), 2 (cannot run), or 128 and the number of the signal that
    asked the process to end: 130 after Ctrl-C.
    """
    with Interrupts() as interrupts:
        try:
            _prepare_streams()
            status = _run(arguments)
        except UsageError as error:
            status = _cannot_run(str(error))
        except KeyboardInterrupt:
            status = INTERRUPTED
        except OSError as error:  # of standard output, unless it names a file
            what = error.filename if error.filename is not None else "the output"
            status = _cannot_run(f"{what} cannot be written: {error.strerror or error}")
        if status == INTERRUPTED:
            _say(str(interrupts))
            status = interrupts.status
        for stream in (sys.stdout, sys.stderr):
            _flush_or_drop(stream)
        return status


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
    except SystemExit:  # after --help
        sys.stdout.flush()
        raise
    try:
        status = int(options.run(options))
    except SystemExit as error:  # commands have statuses of their own: an exit is no success
        raise UsageError(f"the run was ended by SystemExit: {error}") from error
    sys.stdout.flush()
    return status


def _prepare_streams() -> None:
    """Have all standard streams open. Raises UsageError if standard output was closed."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # else a file of a corpus would be a standard stream
    os.close(free)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack letters that files have
            stream.reconfigure(errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - print would use standard output
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise UsageError("standard output is closed: redirect it to a file or /dev/null")


def _cannot_run(message: str) -> int:
    _say(f"error: {message}")
    return CANNOT_RUN


def _say(message: str) -> None:
    with contextlib.suppress(OSError):
        print(f"parity: {message}", file=sys.stderr, flush=True)


def _flush_or_drop(stream: TextIO) -> None:
    """Flush a stream; drop what it holds if that fails, since the exit would try it again."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _parser() -> Parser:
    parser = Parser(
        prog="parity", description="Finds programs on which an autograd engine and PyTorch differ."
    )
    parser.add_argument("--version", action="version", version=f"parity {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    add_check(commands)
    add_lookup(commands)
    _add_adapter(commands)
    for add in (
        add_ops,
        add_score,
        add_survey,
        add_bench,
        add_report,
        add_fuzz,
        add_corpus_commands,
        add_hygiene,
    ):
        add(commands)
    add_completion(commands, parser)
    add_examples(parser)
    return parser


#: The styles of ``parity.engines.template_styles.STYLES`` with what they are for.
_STYLES = {
    "scalar": "an engine of scalars, such as micrograd",
    "numpy-like": "tensors with functions of NumPy's names, such as mygrad",
    "torch-like": "tensors with functions of PyTorch's names",
    "functional": "a library that differentiates functions, such as jax",
}


def _add_adapter(commands: Any) -> None:
    adapter = commands.add_parser(
        "adapter",
        help="write the start of an adapter to a new file, or list the operations of a library",
        description="Exit status: 0 done, 2 cannot run.",
    )
    adapter.set_defaults(run=_adapter, style="")
    what = adapter.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", type=Path, metavar="NEW.py")
    what.add_argument(
        "--scan",
        metavar="MODULE",
        help="say which operations a library has, and which of them compute what PyTorch does: "
        "paddle, tensorflow, mlx, jax, or a module with the function names of PyTorch or NumPy",
    )
    styles = adapter.add_mutually_exclusive_group()
    for style, text in _STYLES.items():
        styles.add_argument(
            f"--{style}", dest="style", action="store_const", const=style, help=f"for {text}"
        )


def _adapter(options: argparse.Namespace) -> int:
    if options.scan is not None:
        if options.style:
            raise UsageError(f"--{options.style} is for a new file, not for --scan")
        from parity.engines.scan import scan

        print(scan(options.scan))
        return 0
    from parity.engines.template import write_adapter

    print(write_adapter(options.file, options.style))
    return 0


if __name__ == "__main__":
    sys.exit(main())
