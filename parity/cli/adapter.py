"""The command ``parity adapter``: writes the template of an adapter to a new file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parity.cli.status import PARITY


def add_adapter(commands: Any) -> None:
    """Add ``adapter`` to the subparsers of ``parity``."""
    adapter = commands.add_parser("adapter", help="write the start of an adapter to a new file")
    adapter.set_defaults(run=_adapter)
    adapter.add_argument("file", type=Path, metavar="NEW.py")


def _adapter(options: argparse.Namespace) -> int:
    from parity.engines.template import write_adapter

    print(write_adapter(options.file))
    return PARITY
