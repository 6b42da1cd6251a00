"""Campaigns: the same whatever runs them, on from where they were, and nothing twice."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from parity._util.decode import decode
from parity.campaign import executors
from parity.campaign.campaign import Display
from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.corpus import Corpus
from parity.campaign.errors import CampaignError
from parity.campaign.executors import Processes
from parity.campaign.monitor import Status
from parity.campaign.search import run_probes
from parity.campaign.shard import Answer, Task
from parity.campaign.storage import Folder, open_store
from parity.campaign.summary import markdown, text, verdict
from parity.language.json_format import program_from_json
from parity.oracle.verdict import ILL_CONDITIONED, Verdict
from tests.helpers.campaigns import OVERWRITE, TWICE, Inline, Notes, left, run

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))


class Shuffled(Inline):
    """Several tasks at a time, the last one answered first, each twice."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.order: list[int] = []

    @property
    def free(self) -> int:
        return self.count - self.running

    def submit(self, task: Task) -> None:
        self.order.append(task.number)
        super().submit(task)

    def answers(self, seconds: float) -> list[Answer]:
        return super().answers(seconds) * 2


def test_a_defect_is_found_reduced_and_named() -> None:
    display = Notes()
    outcome = run("c", 40, display=display)
    ((name, finding),) = outcome.findings
    assert finding["text"] == TWICE
    assert finding["kind"] == "gradient"
    assert [d["defect"] for d in finding["diagnosis"]] == ["overwrite"]
    assert finding["wrong"] == "engine"
    assert [f["text"] for f in display.findings] == [TWICE]
    assert outcome.total.programs == 40
    assert Path("c", finding["script"]).read_text().startswith('"""')
    assert Path(f"c/findings/{name}.json").is_file()


def test_an_engine_that_is_right_shows_nothing() -> None:
    outcome = run("c", 40, "dezero")
    assert outcome.findings == []
    assert not outcome.total.failing
    assert outcome.total.kept > 0
    assert verdict(outcome).startswith("verdict: parity: ")


def test_workers_and_order_do_not_matter() -> None:
    run("one", 80)
    executor = Shuffled(4)
    run("four", 80, executor=executor)
    assert left(Path("one")) == left(Path("four"))
    assert sorted(executor.order) == list(range(8))


class Watching(Shuffled):
    """Notes which shards are answered when another one starts."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.done: set[int] = set()
        self.before: dict[int, set[int]] = {}

    def submit(self, task: Task) -> None:
        self.before[task.number] = set(self.done)
        super().submit(task)

    def answers(self, seconds: float) -> list[Answer]:
        result = super().answers(seconds)
        self.done |= {answer.record.first for answer in result}
        return result


def test_a_shard_waits_for_those_that_it_learns_from_and_no_others() -> None:
    executor = Watching(8)
    run("c", 80, executor=executor)
    assert all(set(range(n // 2)) <= done for n, done in executor.before.items())
    assert executor.before[1] == set()
    assert executor.before[5] == {0, 1}


def test_it_goes_on_where_it_was() -> None:
    run("whole", 70)
    run("parts", 20)
    display = Notes()
    outcome = run("parts", 70, display=display)
    assert outcome.before == 20
    assert outcome.total.programs == 70
    assert display.findings == []
    assert left(Path("whole")) == left(Path("parts"))
    assert run("parts", 70).total.programs == 70


def test_a_number_of_programs_is_kept_to() -> None:
    assert run("c", 25).total.programs == 25
    assert run("c", 25).total.programs == 25
    run("d", 40)
    assert run("c", 40).total.programs == 40
    assert left(Path("c")) == left(Path("d"))


def test_another_seed_gives_other_programs() -> None:
    run("a", 20)
    run("b", 20, seed="1")
    assert left(Path("a"))["kept"] != left(Path("b"))["kept"]


def test_a_corpus_of_another_engine_or_seed_is_refused() -> None:
    run("c", 10)
    with pytest.raises(CampaignError, match="is for the engine overwrite 1, not dezero"):
        run("c", 10, "dezero")
    with pytest.raises(CampaignError, match="has the seed 0, not 1: leave out --seed"):
        run("c", 10, seed="1")


class LaterAfterTwo(Shuffled):
    """Lets an hour pass once two shards are answered, whatever they took."""

    hours = 0

    def answers(self, seconds: float) -> list[Answer]:
        found = super().answers(seconds)
        self.hours = int(max(self.order, default=0) > 0)
        return found

    def time(self) -> float:
        return time.time() + 3600 * self.hours


def test_time_ends_it_and_counts_what_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = LaterAfterTwo(1)
    clock = SimpleNamespace(time=executor.time, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr("parity.campaign.campaign.time", clock)
    outcome = run("c", 10**9, seconds=1800, executor=executor)
    assert 0 < outcome.total.programs < 10**3
    assert not outcome.interrupted
    more = run("c", outcome.total.programs // 10 * 10 + 20)
    assert more.total.programs == outcome.total.programs // 10 * 10 + 20


class InterruptsAt(Display):
    """Presses Ctrl-C when so many shards are recorded."""

    def __init__(self, programs: int) -> None:
        self.programs = programs
        self.pressed = False

    def update(self, status: Status) -> None:
        if status.programs >= self.programs and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_ends_it_with_the_summary() -> None:
    before = signal.getsignal(signal.SIGINT)
    outcome = run("c", 200, display=InterruptsAt(20))
    assert outcome.interrupted
    assert 20 <= outcome.total.programs < 200
    assert "interrupted: the same command continues from here" in text(outcome, "c")
    assert "interrupted" in markdown(outcome, "c")
    assert signal.getsignal(signal.SIGINT) is before
    run("whole", 60)
    run("c", 60)
    assert left(Path("c")) == left(Path("whole"))


class PressesTwice(Shuffled):
    """Two interrupts while shards run."""

    def answers(self, seconds: float) -> list[Answer]:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)
        return []


def test_a_second_interrupt_quits_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        run("c", 200, executor=PressesTwice(1))


class Cluster:
    """What a campaign uses of a client of Dask; a shard is done when submitted, but for one."""

    def __init__(self, *address: str, **options: object) -> None:
        self.cancelled: list[Future[Answer]] = []

    def nthreads(self) -> dict[str, int]:
        return {"a worker": 4}

    def submit(self, function: Callable[[Task], Answer], task: Task, **options: object) -> object:
        future: Future[Answer] = Future()
        if task.number != 2:
            future.set_result(function(task))
        if task.number == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return future

    def cancel(self, futures: list[Future[Answer]]) -> None:
        self.cancelled += futures

    def close(self, timeout: float) -> None:
        assert len(self.cancelled) == 1


def test_an_interrupt_collects_the_shards_that_a_cluster_has_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dask = SimpleNamespace(Client=Cluster)
    monkeypatch.setattr(executors, "optional", lambda *names: dask)
    monkeypatch.setattr(executors, "_GRACE", 0.0)
    outcome = run("c", 200, executor=executors.Cluster("inproc://test"))
    assert outcome.interrupted
    assert outcome.total.programs == 50
    assert {file.stem for file in Path("c/shards").iterdir()} == {"0", "1", "3", "4", "5"}


class Full(Folder):
    """A disk on which there is no room for the fourth shard."""

    def write(self, name: str, data: bytes, quick: bool = False) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if name == "shards/3.json":
                patch.setattr(os, "fsync", _full)
            super().write(name, data, quick)


def test_a_full_disk_ends_it_and_nothing_is_lost() -> None:
    run("whole", 60)
    with pytest.raises(CampaignError, match="cannot be written: No space left on device"):
        run(Full(Path("c")), 60)
    assert run("c", 60).before == 30
    assert left(Path("c")) == left(Path("whole"))


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_corpus_may_be_anywhere() -> None:
    run("memory://anywhere", 20)
    outcome = run("memory://anywhere", 40)
    assert outcome.before == 20
    ((_, finding),) = outcome.findings
    assert finding["text"] == TWICE


def test_the_summary_says_what_was_found() -> None:
    outcome = run("c", 40)
    page = markdown(outcome, "c")
    assert "| `gradient` | `overwrite` | 1 |" in page
    assert TWICE in page
    assert "parity fuzz: findings" in page
    said = text(outcome, "c")
    assert "cause `overwrite`: a reused variable" in said
    assert f"--parity-engine {OVERWRITE} replays them first" in said or "CI" in os.environ


def test_the_summary_tells_dtypes_apart() -> None:
    outcome = run("c", 100, "parity.diagnose.defects.shapes:Float32Widened")
    page = markdown(outcome, "c")
    kinds = {finding["kind"] for _, finding in outcome.findings}
    assert "dtype" in kinds
    assert "(float64 " in page
    assert "(float32 " in page
    assert all(finding["shown"][0] != finding["shown"][1] for _, finding in outcome.findings)


def test_what_programs_do_not_show_the_probes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    monkeypatch.setattr("parity.campaign.shard.run_probes", run_probes)
    for _ in range(2):
        outcome = run("c", 20, "parity.diagnose.defects.traversal:Recursion")
        ((_, finding),) = outcome.findings
        assert (finding["kind"], finding["probe"]) == ("depth", "deep-chain")
        assert finding["count"] == 1
        assert "depth: a deep graph exhausts the stack" in text(outcome, "c")


def test_what_rounding_decides_is_no_finding_and_kept_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = Verdict(ILL_CONDITIONED, "for the test")
    monkeypatch.setattr("parity.campaign.finish.adjudicate", lambda *arguments: verdict)
    monkeypatch.setattr("parity.diagnose.triage.Triage.blame", lambda *arguments: ())
    outcome = run("c", 40)
    assert outcome.findings == []
    kept = Corpus(open_store("c")).ill_conditioned.values()
    assert 0 < len(kept) <= outcome.total.ill_conditioned
    assert {one["wrong"] for one in kept} == {ILL_CONDITIONED}
    for one in kept:
        program = program_from_json(one["program"])
        assert program == Reader(outcome.engine).program(decode(FuzzInput, one["case"]))
    count = outcome.total.ill_conditioned
    assert f"{count} differences are no findings" in text(outcome, "c")
    assert "they are in c/ill-conditioned" in text(outcome, "c")


def test_processes_give_what_one_gives() -> None:
    run("one", 60, "parity.diagnose.defects.clearing:ZeroReplaces")
    run("two", 60, "parity.diagnose.defects.clearing:ZeroReplaces", executor=Processes(2))
    assert left(Path("one")) == left(Path("two"))
