"""The entry point of the ``parity`` command."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from parity import __version__
from parity._util.errors import UsageError
from parity._util.process import INTERRUPTED
from parity.cli.bench import add_bench, add_report
from parity.cli.campaign import add_corpus_commands, add_fuzz
from parity.cli.check import add_check
from parity.cli.evaluate import add_score, add_survey
from parity.cli.hygiene import add_hygiene
from parity.cli.options import CANNOT_RUN


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 (parity), 1 (findings), 2 (cannot run) or 130 (Ctrl-C)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack letters that files have
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        status = _run(options)
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"parity: error: {error}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        print("parity: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.filename is not None:
            raise
        # Standard output, on a full disk or after ``| head``: drop the rest, or exit would raise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"parity: error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return CANNOT_RUN


def _run(options: argparse.Namespace) -> int:
    """Run a command, which has its own statuses: an exit in between is no success."""
    try:
        return int(options.run(options))
    except SystemExit as error:
        raise UsageError(f"the run was ended by SystemExit: {error}") from error


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="parity", description="Finds programs on which an autograd engine and PyTorch differ."
    )
    parser.add_argument("--version", action="version", version=f"parity {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_check(commands)
    adapter = commands.add_parser("adapter", help="write the start of an adapter to a new file")
    adapter.set_defaults(run=_adapter)
    adapter.add_argument("file", type=Path, metavar="NEW.py")
    for add in (
        add_score,
        add_survey,
        add_bench,
        add_report,
        add_fuzz,
        add_corpus_commands,
        add_hygiene,
    ):
        add(commands)
    return parser


def _adapter(options: argparse.Namespace) -> int:
    from parity.engines.template import write_adapter

    print(write_adapter(options.file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
