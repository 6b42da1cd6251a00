"""How often programs reach what hides faults, counted over a fixed sweep."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from parity.generate.schedule import ROTATION
from parity.language import program as pr
from parity.language.indexing import index_items, item_kind
from parity.language.shapes import size
from tests.helpers.programs import DEZERO, searched


def _operand_features(case: pr.Program, infos: list[pr.Info]) -> Iterator[str]:
    uses = Counter(i for s in case.statements if isinstance(s, pr.Apply) for i in s.inputs)
    most = max(uses.values(), default=0)
    yield from (f"a value used {n} times" for n in (2, 3, 5) if most >= n)
    for s in case.statements:
        if not isinstance(s, pr.Apply):
            continue
        yield f"operation {s.op}"
        if s.no_grad:
            yield "no_grad"
        if s.op == "get_item":
            index = dict(s.attrs)["index"]
            if index_items(index) is not index:
                yield "index in no tuple"
            for item in index_items(index):
                yield f"index with {item_kind(item)}"
                if isinstance(item, tuple) and item[0] == "list":
                    yield "empty index" if not item[1] else "index list"
                    if len(set(item[1])) < len(item[1]):
                        yield "repeated index"
        if len(s.inputs) != 2:
            continue
        left, right = (infos[i].shape for i in s.inputs)
        if s.inputs[0] == s.inputs[1]:
            yield "same value as both operands"
            yield f"same value as both operands of {s.op}"
        if s.op == "matmul" and left == right and len(left) == 2:
            yield "product of square matrices"
        if s.op not in ("matmul", "concat"):
            small = [(len(shape), size(shape)) for shape in (left, right)]
            if small[0] != small[1]:
                yield "smaller operand on the " + ("left" if small[0] < small[1] else "right")


def _ancestors(case: pr.Program) -> list[dict[int, set[int]]]:
    """For each value those behind it, with the lengths of the paths."""
    behind: list[dict[int, set[int]]] = [{i: {0}} for i in range(len(case.leaves))]
    for s, defined in zip(case.statements, case.defined, strict=True):
        lengths: dict[int, set[int]] = {}
        for i in s.inputs if isinstance(s, pr.Apply) else ():
            for v, found in behind[i].items():
                lengths.setdefault(v, set()).update(n + 1 for n in found)
        behind += [{**lengths, i: {0}} for i in defined]
    return behind


def _graph_features(case: pr.Program, infos: list[pr.Info]) -> Iterator[str]:
    behind = _ancestors(case)
    for s in case.statements:
        if isinstance(s, pr.Apply) and len(s.inputs) == 2 and s.inputs[0] != s.inputs[1]:
            left, right = (behind[i] for i in s.inputs)
            for v in left.keys() & right.keys():
                if min(left[v]) != min(right[v]):
                    shorter = "left" if min(left[v]) < min(right[v]) else "right"
                    yield f"diamond, {shorter} branch shorter"
    read = {i for s in case.statements if not isinstance(s, pr.Drop) for i in s.operands()}
    for s, defined in zip(case.statements, case.defined, strict=True):
        if isinstance(s, pr.Apply) and not read & set(defined):
            yield "dead branch"
        if isinstance(s, pr.Apply) and s.op == "split" and len(defined) > 1:
            used = len(read & set(defined))
            yield "unused output" if used < len(defined) else "all outputs used"
            if used >= 2:
                yield "two outputs used"
    yield from _backward_features(case, behind)


def _backward_features(case: pr.Program, behind: list[dict[int, set[int]]]) -> Iterator[str]:
    backwards = [(n, s) for n, s in enumerate(case.statements) if isinstance(s, pr.Backward)]
    roots = {s.value for _, s in backwards}
    inner = {root: {v for v in behind[root] if v >= len(case.leaves)} for root in roots}
    if len(backwards) > 1:
        yield "several backward calls"
        yield "several roots" if len(roots) > 1 else "one root several times"
    if any(inner[a] & inner[b] for a, b in itertools.combinations(roots, 2)):
        yield "roots that share a part"
    for _, s in backwards:
        yield "gradient" if s.gradient else "no gradient"
        if s.gradient and len(set(s.gradient.values)) > 1:
            yield "gradient that is not uniform"
        if s.create_graph:
            yield "create_graph"
    for n, s in enumerate(case.statements):
        yield type(s).__name__
        if not isinstance(s, (pr.Clear, pr.Zero)):
            continue
        before = [inner[b.value] for k, b in backwards if k < n]
        after = [inner[b.value] for k, b in backwards if k > n]
        if len(s.leaves) < len(case.leaves):
            yield f"{type(s).__name__} of some leaves"
        if before and after:
            yield f"{type(s).__name__} between backward calls"
            if any(a & b for a in after for b in before):
                yield "graph reused after a clear"


def _leaf_features(case: pr.Program, infos: list[pr.Info]) -> Iterator[str]:
    for info in infos:
        if size(info.shape) == 0:
            yield "size 0"
        if info.shape == ():
            yield "0-d"
        if len(info.shape) == 2 and info.shape[0] == info.shape[1] > 1:
            yield "square matrix"
    for a, b in itertools.combinations(case.leaves, 2):
        if a.values and (a.shape, a.values) == (b.shape, b.values):
            yield "distinct leaves with equal values"
    if len({leaf.dtype for leaf in case.leaves}) > 1:
        yield "mixed dtypes"
    if any(leaf.dtype == "float32" for leaf in case.leaves):
        yield "float32"
    if not all(leaf.requires_grad for leaf in case.leaves):
        yield "constant leaf"


_READERS: tuple[Callable[[pr.Program, list[pr.Info]], Iterator[str]], ...] = (
    _operand_features,
    _graph_features,
    _leaf_features,
)


@cache
def _features(profiles: tuple[str, ...], count: int) -> Counter[str]:
    """In how many of ``count`` programs each feature occurs."""
    total: Counter[str] = Counter()
    for case in itertools.islice(searched(DEZERO, 0, profiles), count):
        infos = case.infos
        total.update({feature for reader in _READERS for feature in reader(case, infos)})
    return total


#: The least share of the default rotation's programs that a feature occurs in.
OFTEN = {
    "a value used 2 times": 0.9,
    "a value used 3 times": 0.6,
    "a value used 5 times": 0.3,
    "same value as both operands": 0.3,
    "same value as both operands of sub": 0.05,
    "same value as both operands of div": 0.01,
    "same value as both operands of matmul": 0.02,
    "diamond, left branch shorter": 0.2,
    "diamond, right branch shorter": 0.2,
    "distinct leaves with equal values": 0.01,
    "dead branch": 0.1,
    "unused output": 0.02,
    "two outputs used": 0.01,
    "smaller operand on the left": 0.1,
    "smaller operand on the right": 0.1,
    "square matrix": 0.1,
    "product of square matrices": 0.02,
    "index list": 0.02,
    "repeated index": 0.01,
    "empty index": 0.01,
    "index in no tuple": 0.02,
    "index with mask": 0.01,
    "index with array": 0.003,
    "index with newaxis": 0.005,
    "index with ...": 0.005,
    "operation slice_backwards": 0.01,
    "operation transpose_all": 0.01,
    "operation squeeze_all": 0.01,
    "size 0": 0.05,
    "0-d": 0.2,
    "float32": 0.1,
    "mixed dtypes": 0.02,
    "constant leaf": 0.05,
    "several backward calls": 0.2,
    "several roots": 0.1,
    "one root several times": 0.01,
    "roots that share a part": 0.02,
    "gradient": 0.2,
    "no gradient": 0.1,
    "gradient that is not uniform": 0.1,
    "create_graph": 0.02,
    "no_grad": 0.05,
    "graph reused after a clear": 0.01,
    "Clear between backward calls": 0.02,
    "Zero between backward calls": 0.01,
    "Clear of some leaves": 0.01,
    "Zero of some leaves": 0.005,
    "Detach": 0.02,
    "TakeGrad": 0.02,
    "ChangeGrad": 0.02,
    "ChangeGradient": 0.01,
    "Drop": 0.005,
}


@pytest.mark.parametrize("feature", OFTEN)
def test_the_default_programs_reach_often(feature: str) -> None:
    assert _features(ROTATION, 2800)[feature] >= OFTEN[feature] * 2800


#: The same where a profile is about a feature.
OF_PROFILE = {
    ("multi-output", "two outputs used"): 0.2,
    ("multi-output", "unused output"): 0.1,
    ("multi-output", "repeated index"): 0.05,
    ("cleargrad", "Clear between backward calls"): 0.3,
    ("cleargrad", "graph reused after a clear"): 0.03,
    ("zero", "Zero between backward calls"): 0.2,
    ("zero", "graph reused after a clear"): 0.03,
    ("clearing", "Clear"): 0.3,
    ("clearing", "Zero"): 0.2,
    ("aliasing", "ChangeGrad"): 0.5,
    ("user-gradient", "ChangeGradient"): 0.5,
    ("accumulation", "several backward calls"): 0.5,
    ("accumulation", "roots that share a part"): 0.1,
    ("lifetime", "Drop"): 0.3,
    ("detach", "Detach"): 0.5,
    ("no-grad", "no_grad"): 0.3,
    ("modes", "no_grad"): 0.3,
    ("second-order", "TakeGrad"): 0.9,
    ("broadcasting", "smaller operand on the left"): 0.4,
    ("broadcasting", "smaller operand on the right"): 0.4,
    ("dtypes", "float32"): 0.9,
    ("mixed-dtypes", "mixed dtypes"): 0.3,
}


@pytest.mark.parametrize(("profile", "feature"), OF_PROFILE)
def test_a_profile_reaches_what_it_is_about(profile: str, feature: str) -> None:
    assert _features((profile,), 300)[feature] >= OF_PROFILE[profile, feature] * 300
