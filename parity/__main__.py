"""``parity`` and ``python -m parity``: the command, and Ctrl-C while it is being loaded."""

from __future__ import annotations

import sys

from parity.interrupts import INTERRUPTED


def main() -> int:
    """Run the command; the status is that of ``parity.cli.main``."""
    try:
        from parity import cli  # PyTorch takes seconds
    except KeyboardInterrupt:
        print("parity: interrupted", file=sys.stderr)
        return INTERRUPTED
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
