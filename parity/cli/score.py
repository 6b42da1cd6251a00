"""The command ``parity score``: measures which known defects are found, and how soon."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from parity.cli.options import DEFAULT_EXAMPLES, check_file, count, listed, write_json
from parity.cli.status import FINDINGS, INTERRUPTED, PARITY


def add_score(commands: Any) -> None:
    """Add ``score`` to the subparsers of ``parity``."""
    score = commands.add_parser(
        "score",
        help="measure which engines that are wrong on purpose are found, and how soon",
        description="Prints Markdown. Exit status: 0 every defect was found with every seed, "
        "1 not, 2 cannot run, 130 interrupted: what was measured is printed.",
    )
    score.set_defaults(run=_score)
    score.add_argument("--seeds", type=count, default=20, metavar="N", help="default: %(default)s")
    score.add_argument("--defects", metavar="a,b", help="only these defects")
    score.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="processes, default: %(default)s"
    )
    score.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")


def _score(options: argparse.Namespace) -> int:
    from parity.campaign.score import markdown, score  # these import all defects
    from parity.cli.progress import Progress

    defects = _chosen_defects(options.defects)
    check_file("--json", options.json)
    progress = Progress(options.seeds * len(defects), sys.stderr)
    result = score(
        options.seeds, DEFAULT_EXAMPLES, defects, options.jobs, lambda t: progress.step(t.defect)
    )
    progress.end()
    print(markdown(result))
    write_json("--json", options.json, result.to_json())
    if not result.complete:
        return INTERRUPTED
    return PARITY if result.all_found else FINDINGS


def _chosen_defects(text: str | None) -> dict[str, Any]:
    from parity.diagnose.defects import DEFECTS

    if text is None:
        return dict(DEFECTS)
    return {name: DEFECTS[name] for name in listed("--defects", text, DEFECTS, "a defect")}
