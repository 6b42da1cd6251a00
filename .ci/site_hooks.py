"""Pages of the documentation site that are files beside ``docs/``, with their links."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
#: Pages by the files that have their text.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples.md",
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for source, page in PAGES.items():
        text = _with_links((ROOT / source).read_text("utf-8"), PurePosixPath(source).parent)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links that leave ``docs/`` lead to the pages."""
    if page.file.src_uri in PAGES.values():
        return markdown
    return _with_links(markdown, PurePosixPath("docs"))


def _with_links(markdown: str, folder: PurePosixPath) -> str:
    """Rewrite the links of a file in a folder of the repository to links of the site."""

    def link(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(f"{folder}/{target}")
        if path in PAGES:
            return f"[{words}]({PAGES[path]}{anchor})"
        if path.startswith("docs/"):
            return f"[{words}]({path.removeprefix('docs/')}{anchor})"
        return words  # a file that is not on the site

    return re.sub(r"\[([^\]]*)\]\(((?!https?:)[^)#:(]+)(#[\w-]+)?\)", link, markdown)
