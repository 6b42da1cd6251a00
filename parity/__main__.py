"""``parity`` and ``python -m parity``: the command, and signals while it is being loaded."""

from __future__ import annotations

import sys

from parity._util.process import Interrupts


def main() -> int:
    """Run the command; the status is that of ``parity.cli.main.main``."""
    with Interrupts() as interrupts:
        try:
            from parity.cli import main  # PyTorch takes seconds
        except KeyboardInterrupt:
            print(f"parity: {interrupts}", file=sys.stderr)
            return interrupts.status
        return main.main()


if __name__ == "__main__":
    sys.exit(main())
