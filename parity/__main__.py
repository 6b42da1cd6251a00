"""``parity`` and ``python -m parity``: the command, and Ctrl-C while it is being loaded."""

from __future__ import annotations

import sys

from parity._util.process import INTERRUPTED


def main() -> int:
    """Run the command; the status is that of ``parity.cli.main.main``."""
    try:
        from parity.cli import main  # PyTorch takes seconds
    except KeyboardInterrupt:
        print("parity: interrupted", file=sys.stderr)
        return INTERRUPTED
    return main.main()


if __name__ == "__main__":
    sys.exit(main())
