"""``Session``: the part of the pytest plugin that runs where the suite or its fixture is used.

``pytest_parity`` at the top level has the options and the fixture.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any, NoReturn

import pytest

from parity._util.errors import CANNOT_RUN, UsageError
from parity._util.process import THREAD_VARIABLES
from parity.oracle.verdict import no_findings, plural, verdict_line, verdict_of
from parity.testing.keys import COUNTS, KNOWN


class Session:
    """A pytest run on an engine: the suite that the options define, header and summary."""

    def __init__(self, config: pytest.Config) -> None:
        if config.getoption("benchmark_only", False):  # one thread, set before NumPy is loaded
            for name in THREAD_VARIABLES:
                os.environ.setdefault(name, "1")
        from parity.testing.suite import Suite

        try:
            self.suite = Suite.of(
                _engine(config),
                config.getoption("--parity-reference"),
                _number(config, "--parity-programs", 1),
                _number(config, "--parity-seed", 0),
                config.getoption("parity_baseline"),
                config.getoption("--parity-isolate"),
                config.getoption("--parity-database"),
            )
        except UsageError as error:
            _cannot_run(str(error))

    def pytest_report_header(self) -> list[str]:
        return self.suite.header()

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Deselect benchmarks in ordinary runs: they take minutes and assert no times."""
        if config.getoption("benchmark_only", False):
            return
        package = Path(__file__).resolve().parents[1]
        timed = [
            item
            for item in items
            if "benchmark" in getattr(item, "fixturenames", ()) and package in item.path.parents
        ]
        if timed:
            config.hook.pytest_deselected(items=timed)
            items[:] = [item for item in items if item not in timed]

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        properties = [
            pair
            for reports in terminalreporter.stats.values()
            for report in reports
            if getattr(report, "when", "") == "call"
            for pair in getattr(report, "user_properties", ())
        ]
        counts = [value for key, value in properties if key == COUNTS]
        known: Counter[str] = Counter()
        for entry, count in (value for key, value in properties if key == KNOWN):
            known[entry] += count
        programs, reused, hubs, ill_conditioned = (sum(c[i] for c in counts) for i in range(4))
        terminalreporter.section("parity")
        for text in self.suite.engine.warnings:
            terminalreporter.write_line(f"warning: {text}")
        if programs:
            terminalreporter.write_line(
                f"{programs} programs; {100 * reused / programs:.1f}% use a value twice or more, "
                f"{100 * hubs / programs:.1f}% five times or more"
            )
        if ill_conditioned:
            terminalreporter.write_line(no_findings(ill_conditioned))
        for entry, count in known.items():
            terminalreporter.write_line(f"known, found {count} times: {entry}")
        terminalreporter.write_line(_verdict(terminalreporter.stats, exitstatus, programs))


def _verdict(stats: Mapping[str, Sized], status: int, programs: int) -> str:
    """Return the verdict line: parity only where all tests came to their end and none failed."""
    wrong = [plural(len(stats.get(key, ())), noun) for key, noun in _WRONG if stats.get(key)]
    ended = status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    interrupted = not ended or not (programs or wrong)
    ran = plural(programs, "program") if programs else "no program ran"
    word = verdict_of(bool(wrong) or status != pytest.ExitCode.OK, interrupted)
    return verdict_line(word, "; ".join([*wrong, ran]))


#: Categories of the reports of pytest that are no parity.
_WRONG = (("failed", "failed test"), ("error", "error"))


def _engine(config: pytest.Config) -> str:
    """Return the engine of the command line, else of the project, else dezero."""
    named = config.getoption("--parity-engine")
    if named:
        return str(named)
    own = config.hook.pytest_parity_engine(config=config) or config.getini("parity_engine")
    module, colon, name = str(own or "dezero").rpartition(":")
    if module.endswith(".py"):  # relative to the root folder, wherever pytest is run
        module = os.path.relpath(config.rootpath / module)
    return module + colon + name


def _number(config: pytest.Config, option: str, least: int) -> int:
    text = str(config.getoption(option))
    if not text.isdecimal() or not text.isascii() or int(text) < least:
        _cannot_run(f"{option} {text!r} is not a number from {least} on")
    return int(text)


def _cannot_run(message: str) -> NoReturn:
    pytest.exit(f"parity: error: {message}", returncode=CANNOT_RUN)
