"""Text that acts on a terminal, a CI server or a page where it is not escaped."""

from __future__ import annotations

import re

HOSTILE = {
    "colours": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;title\x07",
    "terminal link": "\x1b]8;;https://e.example\x1b\\text\x1b]8;;\x1b\\",
    "C1 control": "\x9b31mred",
    "newline": "one\ntwo",
    "other newlines": "one\x0btwo\x85three\u2028four",
    "carriage return": "verdict: findings\rverdict: parity  ",
    "null": "a\x00b",
    "right to left": "\u202egnp.exe",
    "isolate": "\u2066a\u2069",
    "zero width": "a\u200bb\ufeffc",
    "hidden letters": "a\U000e0041\U000e0142b\u3164",
    "surrogate": "a\ud800b\udcff",
    "workflow command": "::error file=a.py::text",
    "later workflow command": "text\n  ::add-mask::secret",
    "old workflow command": "text ##[error]text",
    "pipeline command": "##vso[task.complete result=Succeeded;]done",
    "TeamCity": "##teamcity[buildStatus status='SUCCESS']",
    "GitLab section": "section_start:1:name[collapsed=true]\r\x1b[0Ktext",
    "Travis fold": "travis_fold:start:name",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "class": "<class 'float'>",
    "end of a script": "</script><!--",
    "table": "a|b\\|c",
    "code": "`a` ```b\n```\n# c",
    "mention": "@everyone #1 GH-2 a@b.example",
    "links": "https://e.example www.e.example [a](b) ![c](d)",
    "heading": "# heading",
    "list": "- [ ] item",
    "numbers": "1. item",
    "rule": "---",
    "marks": "**a** _b_ ~c~ $d$ &lt; &#35;",
    "quotes": "\"\"\"\nimport os  # '''",
    "backslash": "a\\",
    "format": "{0} {name} %s %(a)s",
    "markup of rich": "[bold]a[/] [link=https://e.example]b[/link]",
    "folders": "../../etc/passwd",
    "empty": "",
    "long": "x" * 100_000,
    "long and hidden": "\x1b" * 5_000,
}

_COMMAND = re.compile(r"(?m)^\s*(::|section_\w+:|travis_fold:)|##(vso|teamcity)?\[")


def harmful(output: str) -> str:
    """What of an output of several lines acts on a terminal or a CI server; "" for nothing."""
    hidden = "".join(c for c in output if c != "\n" and not c.isprintable())
    command = _COMMAND.search(output)
    return repr(hidden) if hidden else command[0] if command else ""
