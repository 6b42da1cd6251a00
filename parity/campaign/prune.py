"""``parity prune``: the fewest kept inputs that have the coverage of all.

The models are ``afl-cmin`` and libFuzzer's ``-merge=1``: a greedy cover, which takes the input with
the most features that are not covered yet, until all are.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parity._util.process import fuzzing_runtime
from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.corpus import Corpus, KeptInput
from parity.campaign.errors import CampaignError
from parity.campaign.line_coverage import lines_of
from parity.engines.base import label
from parity.engines.runner import AnyEngine
from parity.generate.coverage import reached

#: Features of an input: those of ``parity.generate.coverage``, and lines of the engine.
Features = frozenset[Any]


@dataclass(frozen=True)
class Cover:
    """The names of the inputs to keep, of those to remove, and the number of features of both."""

    keep: frozenset[str]
    remove: tuple[str, ...]
    features: int


def features_of(one: FuzzInput, engine: AnyEngine, reader: Reader) -> Features | None:
    """The features of an input, and the lines that it reaches if the engine is in this process.

    None if programs for this engine do not use the profile of the input.
    """
    if one.profile not in reader.decoders:
        return None
    program = reader.program(one)
    lines = lines_of(engine)
    with fuzzing_runtime():
        lines.adds(program, True)
    return frozenset(reached(program)) | lines.seen


def check_engine(corpus: Corpus, engine: AnyEngine) -> None:
    """Raise CampaignError for another engine, which would read other programs from the bytes."""
    theirs = corpus.identity.engine if corpus.identity else ""
    if theirs.partition(" ")[0] != engine.name:
        raise CampaignError(
            f"corpus {corpus.store.where} is for the engine {theirs}, not {label(engine)}"
        )


def cover(kept: Mapping[str, KeptInput], engine: AnyEngine) -> Cover:
    """Choose the inputs to keep; the same inputs give the same choice."""
    reader = Reader(engine)
    found = {n: features_of(kept[n].fuzz_input, engine, reader) for n in kept}
    order = sorted((n for n in kept if found[n] is not None), key=lambda n: (kept[n], n))
    features = [found[n] or frozenset() for n in order]
    chosen = {order[i] for i in _needed(_greedy(features), features)}
    return Cover(
        frozenset(chosen | (kept.keys() - set(order))),
        tuple(n for n in order if n not in chosen),
        len(frozenset().union(*features)),
    )


def _greedy(features: list[Features]) -> list[int]:
    """Indices of sets whose union is that of all; of equal ones the first is taken."""
    covered: set[Any] = set()
    chosen = []
    heap = [(-len(some), index) for index, some in enumerate(features)]
    heapq.heapify(heap)
    while heap:
        _, index = heapq.heappop(heap)
        gain = len(features[index] - covered)
        if heap and (-gain, index) > heap[0]:  # less than when it was counted: try it again later
            heapq.heappush(heap, (-gain, index))
        elif gain:
            chosen.append(index)
            covered |= features[index]
        else:
            break
    return chosen


def _needed(chosen: list[int], features: list[Features]) -> list[int]:
    """Leave out the sets that later choices made superfluous, the smallest first."""
    counts = Counter(feature for index in chosen for feature in features[index])
    needed = list(chosen)
    for index in sorted(chosen, key=lambda i: (len(features[i]), -i)):
        if all(counts[feature] > 1 for feature in features[index]):
            counts.subtract(features[index])
            needed.remove(index)
    return needed
