"""Commands of shell scripts and of pages, and whether they exist with their options."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: Commands of the shell and of every Linux.
SHELL = {"cat", "echo", "exit", "source", "test"}
#: Words before a command.
KEYWORDS = {"if", "then", "else", "do", "fi", "done", "[", "for"}
#: Tools of the extras ``dev`` and ``docs`` by the names of their commands.
TOOLS = {
    "ruff": "ruff",
    "mypy": "mypy",
    "lint-imports": "import-linter",
    "pre-commit": "pre-commit",
    "mkdocs": "mkdocs-material",
}


def commands_of(script: str) -> list[list[str]]:
    """The commands of a shell script as words, without redirections and what follows ``||``."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||;", line):
            words = shlex.split(re.sub(r"(?<=\s)\d?>>?\s*\S+", "", part), comments=True)
            assigned = bool(words) and re.fullmatch(r"\w+=\S*", words[0]) is not None
            if words and not assigned and words[0] not in KEYWORDS:
                found.append(words)
    return found


@functools.cache
def help_of(*command: str) -> str:
    """What ``--help`` prints."""
    run = subprocess.run(
        [sys.executable, "-m", *command, "--help"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def without_command(script: str) -> list[str]:
    """The commands of a script that do not exist, or that have an option which does not."""
    return [" ".join(words) for words in commands_of(script) if not exists(words)]


def exists(words: list[str]) -> bool:
    """Whether a command exists, and all its long options do."""
    name, *arguments = words
    if name in SHELL:
        return True
    if name == "parity":
        declared = PROJECT["project"]["scripts"].get("parity") == "parity.__main__:main"
        help_text = help_of("parity")
        known = re.search(rf"^ +{re.escape(arguments[0])}\b", help_text, re.MULTILINE)
        return declared and known is not None and _has_options("parity", arguments)
    if name == "pytest":
        return _has_options("pytest", arguments)
    if name in {"pip", "python"}:
        return all(extra in _extras() for extra in _named_extras(arguments))
    if name in TOOLS:
        lines = (*_extras()["dev"], *_extras()["docs"])
        return any(line.startswith(TOOLS[name]) for line in lines)
    file = ROOT / name
    return file.is_file() and os.access(file, os.X_OK)


def _has_options(module: str, arguments: list[str]) -> bool:
    options = [word.partition("=")[0] for word in arguments if word.startswith("--")]
    help_text = help_of(module, *arguments[:1]) if module == "parity" else help_of(module)
    return all(re.search(rf"(?<![\w-]){option}(?![\w-])", help_text) for option in options)


def _extras() -> dict[str, list[str]]:
    extras: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
    return extras


def _named_extras(arguments: list[str]) -> list[str]:
    groups = re.findall(r"\[([\w,]+)\]", " ".join(arguments))
    return [extra for group in groups for extra in group.split(",")]
