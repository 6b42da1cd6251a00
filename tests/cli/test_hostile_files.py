"""Files that are damaged or hostile: each works, or gives one line and status 2."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from parity._util.decode import encode
from parity._util.errors import UsageError
from parity._util.files import DEEPEST, LARGEST
from parity.bench.report.compare import compare
from parity.bench.report.markdown import markdown
from parity.bench.report.results import load
from parity.bench.report.tables import tables
from parity.campaign.baseline import load_baseline
from parity.campaign.cases import FuzzInput
from parity.campaign.corpus import Corpus, Identity, KeptInput
from parity.campaign.records import Record
from parity.campaign.regressions import promote, read_finding, read_regression
from parity.campaign.replay import Replayed
from parity.campaign.storage import Folder
from parity.cli.main import main
from parity.generate.profiles import PROFILES
from parity.language.json_format import program_to_json
from parity.language.text_format import program_from_text
from tests.helpers import report_samples

MANY = "x0 = leaf([[1.0, -2.5], [nan, 3.0]], float32)\nx1 = leaf(0.5, requires_grad=False)\n"
MANY += (
    "x2 = sum(x0, axis=(0,), keepdims=False)\nx3 = get_item(x2, index=(('slice', 0, 1, None),))\n"
)
MANY += "x4 = detach(x2)\ndel x4\nbackward(x3, gradient=[2.0], float32, create_graph=True)\n"
MANY += "x5 = grad_of(x0)\nchange_gradient()\nzero_grad(x0)\ncleargrad(x0)\nchange_grad(x0)"
PROGRAM = program_from_text(MANY)
CASE = FuzzInput("general", bytes(PROFILES["general"].size))
FINDING: dict[str, Any] = {
    "kind": "gradient",
    "probe": "",
    "program": program_to_json(PROGRAM),
    "program_number": 7,
    "case": encode(CASE),
    "statements": 9,
    "leaves": 2,
    "count": 1,
    "first_seen": {"shard": 0, "program": 7},
    "diagnosis": [{"defect": "overwrite", "says": "forgets a path", "agrees": 7, "of": 8}],
    "engine": [[1.0]],
    "reference": "TypeError: no",
    "shown": ["1.0", "2.0"],
    "error_over_bound": 3.5,
    "wrong": "engine",
    "text": MANY,
    "says": "a gradient differs",
    "script": "",
}
RESULTS = report_samples.small()
for _section in ("times", "lengths", "memory", "generator"):
    RESULTS[_section] = RESULTS[_section][:2]
ENTRIES = [
    {"kind": "gradient", "program": MANY, "reason": "later", "url": "https://example.org/1"},
    {"kind": "depth", "probe": "deep-chain", "reason": "later", "url": "https://example.org/2"},
]


def _toml(entries: Any) -> str:
    """The entries as TOML; values that it lacks are left out."""
    if not isinstance(entries, list):
        return f"known = {json.dumps(entries)}"
    rows = ["[[known]]\n" + _pairs(row) if isinstance(row, dict) else f"{row!r}" for row in entries]
    return "\n".join(rows)


def _pairs(row: dict[str, Any]) -> str:
    pairs = ((json.dumps(key), json.dumps(value)) for key, value in row.items())
    return "".join(f"{key} = {value}\n" for key, value in pairs if "null" not in value)


def _read_corpus(file: Path) -> None:
    corpus = Corpus(Folder(file.parents[file.parent.name != "c"]))
    for name, finding in corpus.reported():
        str(Replayed(name, finding, None))
        corpus.forget(name)
    corpus.total().to_json()
    corpus.kept_before(5)
    corpus.finished(3)


def _read_results(file: Path) -> None:
    results = load(file)
    for comparison in (None, compare(results, load(file))):
        markdown(results, comparison)
        tables(results, comparison)


def _read_finding(file: Path) -> None:
    finding = read_finding(file)
    if not finding["probe"]:
        promote(finding, file.parent / "promoted")


#: What is written, how, where, and what reads it.
SORTS: dict[str, tuple[Any, Callable[[Any], str], str, Callable[[Path], Any]]] = {
    "finding": (FINDING, json.dumps, "f.json", _read_finding),
    "regression": ({"kind": "value", "program": FINDING["program"]}, json.dumps, "r.json",
                   read_regression),
    "baseline": (ENTRIES, _toml, "b.toml", load_baseline),
    "results": (RESULTS, json.dumps, "results.json", _read_results),
    "campaign": (Identity("a.py:B", "b 1", "torch 2", "0", 10).to_json(), json.dumps,
                 "c/campaign.json", _read_corpus),
    "shard": (Record(0, 0, 10).to_json(), json.dumps, "c/shards/0.json", _read_corpus),
    "shards": (Record(0, 63, 640).to_json(), json.dumps, "c/shards/0-63.json", _read_corpus),
    "kept": (encode(KeptInput(0, 0, "general", CASE.data)), json.dumps, "c/cases/a.json",
             _read_corpus),
    "finding of a corpus": (FINDING, json.dumps, "c/findings/a.json", _read_corpus),
    "ill-conditioned": (FINDING, json.dumps, "c/ill-conditioned/a.json", _read_corpus),
}  # fmt: skip

_DEEP: Any = []
for _ in range(DEEPEST + 20):
    _DEEP = [_DEEP]
JUNK = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2, 2**31, 2**63, 10**17, -(10**17), 10**300, 10**400),
        *(0.5, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), "", "x", "nan", "-inf"),
        *("x" * 5000, "a\nb\r\x1b[0m\u2028", "\x00", "\ud800", "\u202e", "../../x", "1" * 500),
        *([], {}, [[]], [None], ["x"], [0] * 40, [10**6, 10**6], [10**6] * 9, {"": 0}, _DEEP),
        *({"x" * 5000: 0}, {"\ud800": 1}, "general", "gradient", "apply", "drop", "deep-chain"),
    ]
).map(copy.deepcopy)


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in JSON data."""
    if not isinstance(data, (dict, list)):
        return [path]
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    return [path, *(place for key, one in pairs for place in _places(one, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, data: Any) -> Any:
    """Data in which some values are replaced, removed, doubled or moved."""
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        places = [place for place in _places(data) if place]
        if not places:
            return data
        *path, last = draw(st.sampled_from(places))
        parent = data
        for key in path:
            parent = parent[key]
        how = draw(st.sampled_from(("replace", "replace", "remove", "add", "text", "copy")))
        if how == "remove":
            del parent[last]
        elif how == "add" and isinstance(parent, list):
            parent.insert(last, draw(JUNK))
        elif how == "add":
            parent[draw(st.sampled_from(("new", "do", "kind", "\x1b")))] = draw(JUNK)
        elif how == "text" and isinstance(parent[last], str):
            parent[last] = draw(changed_text(parent[last]))
        elif how == "copy":
            other: Any = data
            for key in draw(st.sampled_from(places)):
                other = other[key]
            parent[last] = copy.deepcopy(other)
        else:
            parent[last] = draw(JUNK)
    return data


PARTS = st.sampled_from(
    [
        *("(", ")", "[", "]", "{", "}", ",", "=", "\n", "'", '"', "#", ".", "-", "*", "\\", " "),
        *("x0", "x1", "x9", "del ", "leaf(1.0)", "x1 = ", "zeros(99999999999)", "zeros(0, 9)"),
        *("axis=", "True", "None", "1e999", "9" * 400, "nan", "(" * 900, "[" * 900, "\x00", "é"),
        *("backward(x0)", "float32", ", requires_grad='yes'", "retain_graph='x'", "((0,),)"),
    ]
)


@st.composite
def changed_text(draw: st.DrawFn, text: str) -> str:
    """Text in which parts are removed or put in."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 9)))
        text = text[:start] + draw(st.just("") | PARTS) + text[end:]
    return text


@st.composite
def changed_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes that are cut off, replaced, or in another encoding."""
    start = draw(st.integers(0, len(data)))
    end = min(len(data), start + draw(st.integers(0, 9)))
    new = draw(st.binary(max_size=4) | st.sampled_from((b"[" * 50_000, b"\xef\xbb\xbf", b"{", b"")))
    form = draw(st.sampled_from(("splice", "cut", "utf-16", "utf-8-sig", "nothing")))
    forms: dict[str, Callable[[], bytes]] = {
        "splice": lambda: data[:start] + new + data[end:],
        "cut": lambda: data[:start],
        "nothing": lambda: b"",
    }
    return forms[form]() if form in forms else data.decode().encode(form)


def _works_or_says_why(sort: str, data: bytes) -> None:
    _, _, name, read = SORTS[sort]
    shutil.rmtree("work", ignore_errors=True)
    file = Path("work", name)
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    try:
        read(file)
    except UsageError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        assert len(message) < 1000
        assert "work" in message  # the file


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


_steady = settings(
    max_examples=int(os.environ.get("PARITY_HOSTILE_EXAMPLES", "60")),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("sort", SORTS)
def test_valid_files_are_read(sort: str) -> None:
    data, write, name, read = SORTS[sort]
    file = Path("work", name)
    file.parent.mkdir(parents=True)
    file.write_text(write(data))
    read(file)


@pytest.mark.parametrize("sort", SORTS)
@_steady
@given(st.data())
def test_other_values(sort: str, data: st.DataObject) -> None:
    valid, write, _, _ = SORTS[sort]
    _works_or_says_why(sort, write(data.draw(mutated(valid))).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("sort", SORTS)
@_steady
@given(st.data())
def test_other_bytes(sort: str, data: st.DataObject) -> None:
    valid, write, _, _ = SORTS[sort]
    _works_or_says_why(sort, data.draw(changed_bytes(write(valid).encode())))


@_steady
@given(changed_text(MANY))
@example("x0 = leaf(3.0, requires_grad='yes')")
def test_other_text_of_a_program(text: str) -> None:
    _works_or_says_why("baseline", _toml([{**ENTRIES[0], "program": text}]).encode())


def _special(kind: str, file: Path) -> None:
    """Put something at a path that is no file to be read."""
    makers: dict[str, Callable[[], Any]] = {
        "folder": file.mkdir,
        "pipe": lambda: os.mkfifo(file),
        "device": lambda: file.symlink_to("/dev/zero"),
        "loop": lambda: file.symlink_to(file.name),
        "nothing": lambda: None,
        "large": lambda: os.truncate(os.open(file, os.O_CREAT | os.O_RDWR), 2**33),
        "values": lambda: file.write_text("[" + "0," * (LARGEST // 3)),
    }
    makers[kind]()


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop", "nothing", "large", "values"])
@pytest.mark.parametrize("sort", ["finding", "regression", "baseline", "results", "campaign"])
def test_what_is_no_file_of_a_bearable_size(sort: str, kind: str) -> None:
    _, _, name, read = SORTS[sort]
    file = Path("work", name)
    file.parent.mkdir(parents=True)
    _special(kind, file)
    if (sort, kind) == ("campaign", "nothing"):
        return
    with pytest.raises(UsageError) as caught:
        read(file)
    assert len(str(caught.value).splitlines()) == 1


def test_many_parts_of_a_key_are_refused_before_they_are_parsed() -> None:
    """The parser takes time in the square of their number."""
    for text in ("a" + ".a" * 200_000 + " = 1", f"[{'.'.join('a' * 200_000)}]"):
        Path("b.toml").write_text(text)
        with pytest.raises(UsageError, match="more than 8 parts between dots"):
            load_baseline(Path("b.toml"))
    reason = "It... waits... for... b.c.d.e.f. See a.b.c.d.e.f.g.h.i.j."
    Path("b.toml").write_text(_toml([{**ENTRIES[0], "reason": reason}]))
    assert load_baseline(Path("b.toml")).entries[0].reason == reason


def test_the_status_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c").mkdir()
    os.mkfifo("c/campaign.json")
    os.mkfifo("f.json")
    for arguments in (["replay", "c"], ["promote", "f.json"], ["report", "f.json"]):
        assert main(arguments) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
