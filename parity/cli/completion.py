"""The command ``parity completion``: names of commands, options and their values for shells."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from parity.cli.lookup import CATEGORIES
from parity.cli.parser import arguments_of, commands_of, helps_of
from parity.engines.builtin import BUILT_IN


def add_completion(commands: Any, parser: argparse.ArgumentParser) -> None:
    completion = commands.add_parser(
        "completion",
        help="print what a shell needs to complete the command",
        description="Exit status: 0 done, 2 cannot run.",
    )
    completion.add_argument(
        "shell", choices=tuple(_SHELLS), metavar="SHELL", help=", ".join(_SHELLS)
    )
    completion.set_defaults(run=lambda options: _print(_SHELLS[options.shell](parser)))


def _print(text: str) -> int:
    print(text)
    return 0


def _words(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Return the words that may follow each command: options, choices and names."""
    words = {}
    for name, command in commands_of(parser).items():
        actions = arguments_of(command)
        options = [option for action in actions for option in action.option_strings]
        choices = [str(choice) for action in actions for choice in action.choices or ()]
        dests = {action.dest for action in actions}
        engines = list(BUILT_IN) if dests & {"engine", "engines"} else []
        words[name] = [*options, *choices, *engines, *(_names() if name == "explain" else ())]
    return words


def _names() -> list[str]:
    from parity.diagnose.lookup import CATEGORIES as TABLES  # loads all defects

    return sorted({name for what in CATEGORIES for name in TABLES[what].sentences()})


def _bash(parser: argparse.ArgumentParser) -> str:
    words = _words(parser)
    cases = "\n".join(f'    {name}) words="{" ".join(some)}" ;;' for name, some in words.items())
    return f"""\
_parity() {{
  local words="{" ".join(words)}"
  [ "$COMP_CWORD" -gt 1 ] && case "${{COMP_WORDS[1]}}" in
{cases}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _parity parity"""


def _zsh(parser: argparse.ArgumentParser) -> str:
    return f"autoload -Uz compinit bashcompinit && compinit && bashcompinit\n{_bash(parser)}"


def _fish(parser: argparse.ArgumentParser) -> str:
    lines = [
        f"complete -c parity -n __fish_use_subcommand -a {name} -d '{text.replace(chr(39), '')}'"
        for name, text in helps_of(parser)
    ]
    lines += [
        f"complete -c parity -n '__fish_seen_subcommand_from {name}' -a '{' '.join(some)}'"
        for name, some in _words(parser).items()
    ]
    return "\n".join(lines)


_SHELLS: Mapping[str, Callable[[argparse.ArgumentParser], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
