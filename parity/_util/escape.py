r"""Text of engines and files, escaped for the place where it is shown.

Such text may hold anything: sequences that move the cursor, commands to a CI server, HTML. Here it
becomes text that shows what it holds and does nothing. What is escaped twice stays the same, except
in Markdown.

>>> one_line("red: \x1b[31m\nnext line")
'red: \\x1b[31m\\nnext line'
"""

from __future__ import annotations

import hashlib
import re

#: The most characters of a message that are shown.
LONGEST = 2000
#: The most characters of a text of several lines, such as a program.
LONGEST_TEXT = 20_000

# Letters and marks that are not shown, though ``str.isprintable`` says so.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# The first character of a command to GitHub Actions, GitLab, Travis, Azure Pipelines or TeamCity.
_COMMAND = re.compile(
    r"(?m)^ *(?::(?=:)|s(?=ection_(?:start|end):)|t(?=ravis_\w+:))|#(?=#(?:vso|teamcity)?\[)"
)
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|(com|lpt)\d)(\.|$)")


def one_line(text: object, longest: int = LONGEST) -> str:
    """A text, or what an exception says, in one line of at most ``longest`` characters.

    An exception without a text is shown by its type.
    """
    said = _text(text)
    if not said and isinstance(text, BaseException):
        said = _name(type(text))
    return _shown(said, longest, "")


def printable(text: object, longest: int = LONGEST_TEXT) -> str:
    """A text of several lines, of at most ``longest`` characters in all."""
    return _shown(_text(text), longest, "\n")


def described(error: BaseException, longest: int = LONGEST) -> str:
    """The type and the text of an exception in one line."""
    name, text = _name(type(error)), _text(error)
    start = f"{name}: {text[:longest]}" if text else name  # a copy of all may not fit in memory
    return _shown(start, longest, "", len(start) + len(text) - len(text[:longest]))


def markdown(text: object) -> str:
    """A text in one line that Markdown shows as it is: no markup, HTML, link or mention."""
    escaped = re.sub(r"([\\`*_{}\[\]<>|~$])", r"\\\1", one_line(text).replace("&", "&amp;"))
    escaped = escaped.replace("\\<", "&lt;").replace("\\>", "&gt;")
    # At the start of a line: a heading, a list or a rule.
    escaped = re.sub(
        r"^( *)(?=--|=|(?:[-+]|#+)(?: |$))|^( *\d+)(?=[.)](?: |$))", r"\1\2\\", escaped
    )
    # A comment of no length keeps names from people and issues and addresses from links.
    return re.sub(r"([@#]|://|www\.|\bGH-)(?=\w|/)", r"\1<!-- -->", escaped)


def code(text: object) -> str:
    """A text in one line as code in Markdown."""
    line = one_line(text)
    fence = _fence(line, 1)
    space = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) else ""
    return f"{fence}{space}{line}{space}{fence}" if line else ""


def block(text: str) -> list[str]:
    """The lines of a block of code in Markdown."""
    lines = printable(text).splitlines()
    fence = _fence(text, 3)
    return [fence, *lines, fence]


def docstring(text: str) -> str:
    """A text within a docstring: it cannot end it, and is read as it is."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def file_name(text: str, longest: int = 80) -> str:
    """A name for a file or folder that all systems accept, of letters, digits and ``._-``.

    Texts that differ in other characters have different names.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    if len(name) > longest or re.search(r"[^\w\[\]. -]", text, re.ASCII) or not name:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        name = f"{name[: longest - 9]}-{digest}".lstrip("-")
    return f"_{name}" if _RESERVED.match(name) else name


def _fence(text: str, least: int) -> str:
    """More backticks than follow one another in the text."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))


def _shown(text: str, longest: int, kept: str, length: int = 0) -> str:
    """Escape all but the characters ``kept``, and cut. ``length``: of the whole text."""
    length = length or len(text)
    start = text[:longest]
    if not start.isprintable():
        start = "".join(c if c.isprintable() or c in kept else _escaped(c) for c in start)
    start = _INVISIBLE.sub(lambda match: _escaped(match[0]), start)
    start = _COMMAND.sub(lambda match: f"{match[0][:-1]}\\x{ord(match[0][-1]):02x}", start)
    if max(length, len(start)) <= longest:
        return start
    end = f"... ({length} characters)"
    return start[: longest - len(end)] + end


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _text(value: object) -> str:
    """``str`` of a value, which may raise anything where the class is an engine's."""
    try:
        return str.__str__(str(value))  # not that of a subclass
    except BaseException as error:
        return f"(its text cannot be shown: {_name(type(error))})"


def _name(cls: type) -> str:
    return str.__str__(type.__dict__["__name__"].__get__(cls))  # a metaclass may have another


def without_password(url: str) -> str:
    """Return an address without the password in it, for messages.

    >>> without_password("redis://user:secret@host:6379")
    'redis://user:***@host:6379'
    """
    return re.sub(r"(://[^/@:]*:)[^@]*@", r"\1***@", url)
