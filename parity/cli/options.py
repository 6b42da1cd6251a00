"""Exit statuses, options that several commands share, and their files: checked and written."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.names import did_you_mean
from parity._util.process import uninterrupted
from parity.campaign.errors import optional
from parity.engines.builtin import BUILT_IN
from parity.engines.limits import Limits

if TYPE_CHECKING:
    from parity.bench.report.findings import FindingsPage

PARITY, FINDINGS = 0, 1
REFERENCE_HELP = "default: torch; self: differences of the engine's own forward"
DEFAULT_EXAMPLES = 2000
#: Of more names than these not all are listed in a message.
_MANY = 100
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def count(text: str) -> int:
    """Parse a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, 1 or more")
    return int(text)


def duration(text: str) -> float:
    """Parse ``30s``, ``10m``, ``2h``, ``1d`` or plain seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time above 0 like 30s, 10m or 2h")
    return seconds


def add_engines(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--engine",
        required=True,
        metavar="SPEC",
        help=f"{', '.join(BUILT_IN)}, package.module:Class or path/to/file.py:Class",
    )
    command.add_argument("--reference", default="torch", metavar="SPEC", help=REFERENCE_HELP)


def add_isolation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--isolate",
        action=argparse.BooleanOptionalAction,
        help="run the engine in a process of its own; default: unless it is built in",
    )
    add_limits(command)


def add_limits(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--time-limit",
        type=duration,
        default=Limits.seconds,
        metavar="T",
        help="for a program of an isolated engine, in seconds or as 30s, 1m; default: %(default)g",
    )
    command.add_argument(
        "--memory-limit",
        type=count,
        default=Limits.megabytes,
        metavar="MB",
        help="what an isolated engine may take more than after it was loaded, default: %(default)s",
    )


def limits_of(options: argparse.Namespace) -> Limits:
    return Limits(options.time_limit, options.memory_limit)


def check_file(option: str, file: Path | None) -> None:
    """Raise UsageError if a file cannot be written, before anything runs."""
    if file is None:
        return
    folder = file.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"{option} {file}: there is no folder {file.parent}")
    if file.is_dir():
        raise UsageError(f"{option} {file} is a folder, not a file")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise UsageError(f"{option} {file} may not be written: choose another place")


def check_folder(option: str, folder: Path) -> None:
    """Raise UsageError if a folder cannot be written to, before anything runs."""
    existing = next(p for p in (folder.resolve(), *folder.resolve().parents) if p.exists())
    if not existing.is_dir():
        raise UsageError(f"{option} {folder}: {existing} is a file, not a folder")
    if not os.access(existing, os.W_OK):
        raise UsageError(f"{option} {folder} may not be written: choose another place")


def write_text(option: str, file: Path | None, text: str) -> None:
    """Write a file atomically; do nothing for None. Raises UsageError if that fails."""
    if file is None:
        return
    temporary = None
    try:
        if file.exists() and not file.is_file():  # a pipe or a device: /dev/stdout
            file.write_text(text, "utf-8")
            return
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=file.resolve().parent, prefix=f".{file.name}-", delete=False
        ) as stream:
            temporary = Path(stream.name)
            stream.write(text)
        temporary.chmod(0o644)
        temporary.replace(file.resolve())
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise UsageError(f"{option} {file} cannot be written: {error.strerror}") from error


def check_html(folder: Path | None) -> None:
    """Raise UsageError if the page of ``--html`` cannot be written to a folder."""
    if folder is not None:
        optional("jinja2", "report", "--html")
        check_folder("--html", folder)


def write_html(folder: Path | None, page: Callable[[], FindingsPage]) -> None:
    """Write the page of findings to a folder; do nothing for None. Raises UsageError."""
    if folder is not None:
        from parity.bench.report.findings import write_page

        write_page(page(), folder)
        print(one_line(f"page: {folder / 'findings.html'}"))


def write_json(option: str, file: Path | None, data: Any) -> None:
    """Write JSON like ``write_text``; nan and infinity raise ValueError."""
    if file is not None:
        write_text(option, file, json.dumps(data, indent=1, allow_nan=False) + "\n")


def deliver(*outputs: Callable[[], object]) -> None:
    """Call what writes the outputs of a command: all, also if one fails; raise the first error."""
    errors: list[OSError | UsageError] = []
    with uninterrupted():
        for write in outputs:
            try:
                write()
            except (OSError, UsageError) as error:
                errors.append(error)
        if errors:
            raise errors[0]


def listed(option: str, text: str, known: Collection[str], what: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list. Raises UsageError if one is not ``known``."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        wrong = f"{unknown[0]!r} is not {what}" if unknown else f"names no {what.split()[1]}"
        raise UsageError(f"{option} {wrong}; {_known(unknown, known)}")
    return names


def _known(unknown: list[str], known: Collection[str]) -> str:
    """Return what there is instead of a name: all of it, or what is like it of very much."""
    hint = did_you_mean(unknown[0], known) if unknown else ""
    if len(known) <= _MANY:
        return f"{hint}there are {', '.join(known)}"
    return f"{hint}docs/operations.md lists all {len(known)}"


def chosen_ops(text: str | None, of_engine: Collection[str]) -> tuple[str, ...] | None:
    """Return the operations of ``--ops``, once the engine is loaded: it may bring rows of its own.

    Raises UsageError if one is unknown, or if the engine does not have it.
    """
    from parity.language.table import OPS

    if text is None:
        return None
    names = listed("--ops", text, OPS, "an operation")
    missing = [name for name in names if name not in of_engine]
    if missing:
        hint = did_you_mean(missing[0], of_engine).rstrip()
        more = f"; {hint}" if hint else ""
        raise UsageError(f"--ops: the engine does not have {', '.join(missing)}{more}")
    return names
