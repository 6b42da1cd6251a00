"""The commands that answer questions: ``parity list``, ``parity explain`` and ``parity run``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from parity._util.errors import UsageError
from parity._util.files import read_bytes
from parity.cli.options import (
    FINDINGS,
    PARITY,
    add_engines,
    add_isolation,
    check_file,
    limits_of,
    write_text,
)

#: What can be listed; ``parity.diagnose.lookup.CATEGORIES`` has them.
CATEGORIES = ("ops", "quirks", "defects", "probes", "engines", "profiles", "kinds")
#: The name of standard input.
_STDIN = "-"


def add_lookup(commands: Any) -> None:
    lists = commands.add_parser(
        "list",
        help="list operations, quirks, defects, probes, engines, profiles or kinds of findings",
        description="Prints each name with one sentence. Exit status: 0 done, 2 cannot run.",
    )
    lists.set_defaults(run=_list)
    lists.add_argument("what", choices=CATEGORIES, metavar="WHAT", help=", ".join(CATEGORIES))
    form = lists.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON: names with their sentences")
    form.add_argument(
        "--markdown", action="store_true", help="as a page with all that parity explain says"
    )
    explains = commands.add_parser(
        "explain",
        help="say what a name means: of an operation, quirk, defect, probe, profile or finding",
        description="Prints what it is, a program that shows it with both results, typical code "
        "and how to mend it. Exit status: 0 done, 2 cannot run.",
    )
    explains.set_defaults(run=_explain)
    explains.add_argument("name", metavar="NAME", help="as parity list and reports have it")
    explains.add_argument("--json", action="store_true", help="as JSON")
    _add_run(commands)


def _add_run(commands: Any) -> None:
    runs = commands.add_parser(
        "run",
        help="run one program on an engine and on PyTorch, side by side",
        description="The program has the form in which reports show it. Prints each value, and the "
        "gradients after each event, of both sides. Exit status: 0 both agree, 1 they differ, "
        "2 cannot run.",
    )
    runs.set_defaults(run=_run)
    runs.add_argument("program", metavar="PROGRAM.txt", help="a file, or - for standard input")
    runs.add_argument("--svg", type=Path, metavar="FILE", help="draw the graph with both results")
    add_engines(runs)
    add_isolation(runs)


def _list(options: argparse.Namespace) -> int:
    from parity.diagnose.lookup import CATEGORIES, page

    category = CATEGORIES[options.what]
    if options.markdown:
        print(page(category), end="")
        return 0
    sentences = category.sentences()
    if options.json:
        print(json.dumps(dict(sentences), indent=1))
        return 0
    width = max(map(len, sentences))
    for name, sentence in sentences.items():
        print(f"{name:{width}}  {sentence}")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from parity.diagnose.lookup import explain

    found = explain(options.name)
    print(json.dumps([one.to_json() for one in found], indent=1) if options.json else found)
    return 0


def _run(options: argparse.Namespace) -> int:
    from parity.language.text_format import LONGEST  # the file is read before PyTorch is loaded

    check_file("--svg", options.svg)
    text = _text(options.program, LONGEST)
    from parity.engines.open import open_engines
    from parity.oracle.one_program import read_program, run_on

    engine, reference = open_engines(
        options.engine, options.reference, options.isolate, limits_of(options)
    )
    try:  # the engine may bring operations of its own
        result = run_on(read_program(text, options.program), engine, reference)
    finally:
        engine.close()
    write_text("--svg", options.svg, result.drawing() + "\n")
    print(result)
    return PARITY if result.ok else FINDINGS


def _text(name: str, longest: int) -> str:
    """Return the text of a file or of standard input."""
    try:
        data = (
            sys.stdin.buffer.read(longest + 1)
            if name == _STDIN
            else read_bytes(Path(name), longest)
        )
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: it is no text in UTF-8") from None
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}") from None
