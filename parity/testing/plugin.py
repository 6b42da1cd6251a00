"""pytest options, the ``parity`` fixture, and the summary.

Every pytest run in an environment with parity loads this module, so it imports the rest of
parity only when a parity test needs it.
"""

from __future__ import annotations

import argparse
import os
import random
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from parity._util.process import THREAD_VARIABLES
from parity.testing.hookspecs import Hooks
from parity.testing.keys import COUNTS, KNOWN

if TYPE_CHECKING:
    from parity.testing.suite import Suite

DEFAULT_PROGRAMS = 24_000
CANNOT_RUN = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("parity", "parity: autograd engines against PyTorch")
    group.addoption(
        "--engine",
        metavar="SPEC",
        help="engine under test: dezero (default), torch, package.module:Class or "
        "path/to/file.py:Class; a project sets its own with parity_engine",
    )
    parser.addini(
        "parity_engine",
        "engine under test where --engine names none; a path starts from the root folder",
    )
    group.addoption(
        "--isolate",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="run the engine in a process of its own; default: if it is given by file",
    )
    group.addoption("--reference", default="torch", metavar="SPEC", help="default: torch")
    group.addoption(
        "--programs",
        default=str(DEFAULT_PROGRAMS),
        metavar="N",
        help="random programs in the whole suite, default: %(default)s",
    )
    group.addoption(
        "--parity-seed",
        default="0",
        metavar="S",
        help="the same seed gives the same programs; 'random' picks one and names it, default: 0",
    )
    group.addoption(
        "--parity-database",
        metavar="URL",
        help="redis://host:port, where failing programs are kept and shared; default: .hypothesis",
    )
    parser.addini(
        "parity_regressions",
        "folder of programs that once failed (parity promote); default: parity-regressions",
    )
    group.addoption(
        "--parity-baseline",
        "--parity-known",
        dest="parity_baseline",
        metavar="FILE",
        help="TOML list of findings that are accepted for now",
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("benchmark_only", False):
        _one_thread()
    if _is_parity_run(config):
        config.stash[_SUITE] = _suite(config)


def _one_thread() -> None:
    """Limit libraries to one thread for benchmarks, before NumPy is loaded."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")


def _suite(config: pytest.Config) -> Suite:
    """Return the suite that the options define, or end the run if they are invalid."""
    from parity._util.errors import UsageError
    from parity.testing.suite import Suite

    try:
        suite = Suite.of(
            _engine(config),
            config.getoption("--reference"),
            _number(config, "--programs", 1),
            _seed(config),
            config.getoption("parity_baseline"),
            config.getoption("--isolate"),
            config.getoption("--parity-database"),
        )
    except UsageError as error:
        _cannot_run(str(error))
    return suite


def _engine(config: pytest.Config) -> str:
    """Return the engine of the command line, else of the project, else dezero."""
    named = config.getoption("--engine")
    if named:
        return str(named)
    own = config.hook.pytest_parity_engine(config=config) or config.getini("parity_engine")
    module, colon, name = str(own or "dezero").rpartition(":")
    if module.endswith(".py"):  # relative to the root folder, wherever pytest is run
        module = os.path.relpath(config.rootpath / module)
    return module + colon + name


def _cannot_run(message: str) -> NoReturn:
    pytest.exit(f"parity: error: {message}", returncode=CANNOT_RUN)


def _number(config: pytest.Config, option: str, least: int) -> int:
    text = str(config.getoption(option))
    if not text.isdecimal() or int(text) < least:
        _cannot_run(f"{option} {text!r} is not a number from {least} on")
    return int(text)


_SUITE = pytest.StashKey["Suite"]()


def _is_parity_run(config: pytest.Config) -> bool:
    """Return whether the run names an engine or the suite of parity."""
    if config.getoption("--engine"):
        return True
    package = Path(__file__).resolve().parents[1]
    paths = [Path(arg.partition("::")[0]) for arg in config.args]
    if config.getoption("pyargs") and any(re.match(r"parity\b", arg) for arg in config.args):
        return True
    return "parity" in config.args or any(
        path.exists() and (package in (r := path.resolve()).parents or package == r)
        for path in paths
    )


def _seed(config: pytest.Config) -> int:
    """Return the seed; a random one is drawn once, for all worker processes of pytest-xdist."""
    drawn = getattr(config, "workerinput", {}).get(DRAWN_SEED)
    if drawn is not None:
        return int(drawn)
    if config.getoption("--parity-seed") != "random":
        return _number(config, "--parity-seed", 0)
    config.stash[_DRAWN] = random.SystemRandom().randrange(2**31)
    return config.stash[_DRAWN]


_DRAWN = pytest.StashKey[int]()
DRAWN_SEED = "parity-drawn-seed"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass a drawn seed to a worker process of pytest-xdist."""
    if node.config.stash.get(_DRAWN, None) is not None:
        node.workerinput[DRAWN_SEED] = node.config.stash[_DRAWN]


def pytest_report_header(config: pytest.Config) -> list[str]:
    suite = config.stash.get(_SUITE, None)
    return suite.header() if suite else []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
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


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> Suite:
    """The engine under test, with the checks of the suite."""
    config = request.config
    if _SUITE not in config.stash:  # a parity test among others
        config.stash[_SUITE] = _suite(config)
    return config.stash[_SUITE].for_test(request.node)


def pytest_terminal_summary(terminalreporter: Any) -> None:
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
    if not programs:
        return
    terminalreporter.section("parity")
    terminalreporter.write_line(
        f"{programs} programs; {100 * reused / programs:.1f}% use a value twice or more, "
        f"{100 * hubs / programs:.1f}% five times or more"
    )
    if ill_conditioned:
        from parity.oracle.verdict import no_findings  # loaded by the tests that counted them

        terminalreporter.write_line(no_findings(ill_conditioned))
    for entry, count in known.items():
        terminalreporter.write_line(f"known, found {count} times: {entry}")
