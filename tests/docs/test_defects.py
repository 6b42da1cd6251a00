"""The page of known defects is what the command prints."""

from __future__ import annotations

from pathlib import Path

from parity.diagnose.lookup import CATEGORIES, page

FILE = Path(__file__).resolve().parents[2] / "docs" / "defects.md"


def test_the_page_is_up_to_date() -> None:
    made = page(CATEGORIES["defects"])
    assert FILE.read_text("utf-8") == made, "parity list defects --markdown > docs/defects.md"
    assert "- seen in: [micrograd#53](https://github.com/karpathy/micrograd/issues/53);" in made
