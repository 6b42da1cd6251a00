"""docs/glossary.md: in alphabetical order, and every module that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENTRY = re.compile(r"^\*\*([^*]+)\.\*\* (.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
ENTRIES = dict(ENTRY.findall((ROOT / "docs" / "glossary.md").read_text().rstrip()))
#: What names no module: another entry says it.
REFERRAL = "See *"


def test_terms_stand_in_alphabetical_order_and_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    terms = re.findall(r"^\*\*([^*]+)\.\*\*", text, re.MULTILINE)
    assert len(terms) > 40
    assert terms == sorted(set(terms), key=lambda term: term.casefold().replace("-", " "))
    assert terms == list(ENTRIES)


def test_every_term_names_a_module_that_is_there() -> None:
    for term, text in ENTRIES.items():
        paths = re.findall(r"`(parity/[\w/.]+)`", text)
        assert paths or text.startswith(REFERRAL), term
        assert [path for path in paths if not (ROOT / path).exists()] == [], term


def test_a_referral_names_a_term() -> None:
    referrals = [text for text in ENTRIES.values() if text.startswith(REFERRAL)]
    terms = {term.casefold() for term in ENTRIES}
    assert [t for t in referrals if t.removeprefix(REFERRAL).rstrip("*.") not in terms] == []
