"""The parser of arguments: errors in one line with what may have been meant, and examples."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from parity._util.errors import UsageError
from parity._util.names import did_you_mean
from parity.cli.examples import epilog


class _Help(argparse.HelpFormatter):
    """Fills paragraphs, and leaves lines of examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text
        return super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """Reports errors in one line, without the usage, and asks what was meant by a wrong name."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all arguments. Raises UsageError for one that no option takes."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            parser = commands_of(self).get(getattr(options, "command", ""), self)
            hint = did_you_mean(unknown[0].partition("=")[0], parser._option_string_actions)
            parser.error(f"unrecognized arguments: {' '.join(unknown)}; {hint}".rstrip("; "))
        return options

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(map(str, action.choices))
            hint = did_you_mean(str(value), known)
            message = f"invalid choice: {value!r}; {hint}there are {', '.join(known)}"
            raise argparse.ArgumentError(action, message)


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands by name; empty for the parser of a command.

    ``argparse`` has no public way to the arguments of a parser, which completion needs as well.
    """
    several = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return next((dict(action.choices) for action in several), {})


def helps_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield each command with its line in the help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action._choices_actions:
                yield one.dest, one.help or ""


def arguments_of(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    """Return the options and positional arguments of a command."""
    return parser._actions


def add_examples(parser: argparse.ArgumentParser) -> None:
    """Let the help of each command end with its examples."""
    for name, command in commands_of(parser).items():
        command.formatter_class = _Help
        command.epilog = epilog(name)
