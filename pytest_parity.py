"""Entry point of the pytest plugin: options and the ``parity`` fixture.

Every pytest run in an environment with parity loads this module, also runs that have nothing to do
with parity. So it lies outside the package ``parity`` (a project may have a package of that name),
imports nothing but pytest, and defines only options that begin with ``--parity-``. What a run of
the suite needs is in ``parity.testing.plugin``, which is registered when such a run begins.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import os
import random
import re
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from parity.testing.plugin import Session
    from parity.testing.suite import Suite

PACKAGE = Path(__file__).resolve().parent / "parity"
DEFAULT_PROGRAMS = 24_000
#: Short names that `pytest parity/` accepts where no other plugin or conftest defines them.
ALIASES = {
    "--engine": "--parity-engine",
    "--programs": "--parity-programs",
    "--reference": "--parity-reference",
    "--isolate": "--parity-isolate",
    "--no-isolate": "--no-parity-isolate",
}


class Hooks:
    """Hooks that a ``conftest.py`` may define."""

    @pytest.hookspec(firstresult=True)
    def pytest_parity_engine(self, config: pytest.Config) -> str | None:
        """Return the engine to test, where ``--parity-engine`` names none, before the ini file."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(
        "parity",
        "parity: autograd engines against PyTorch (`pytest parity/` and `pytest --pyargs parity` "
        "also take --engine, --programs, --reference and --isolate)",
    )
    group.addoption(
        "--parity-engine",
        metavar="SPEC",
        help="engine under test: dezero (default), torch, package.module:Class or "
        "path/to/file.py:Class; a project sets its own with parity_engine",
    )
    group.addoption(
        "--parity-isolate",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="run the engine in a process of its own; default: unless it is built in",
    )
    group.addoption("--parity-reference", default="torch", metavar="SPEC", help="default: torch")
    group.addoption(
        "--parity-programs",
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
    group.addoption(
        "--parity-baseline",
        "--parity-known",
        dest="parity_baseline",
        metavar="FILE",
        help="TOML list of findings that are accepted for now",
    )
    parser.addini(
        "parity_engine",
        "engine under test where --parity-engine names none; a path starts from the root folder",
    )
    parser.addini(
        "parity_regressions",
        "folder of programs that once failed (parity promote); default: parity-regressions",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, Any, Any]:
    """Replace short option names, once all plugins and conftests have defined theirs."""
    result = yield
    known = early_config.known_args_namespace
    if _names_suite(known.file_or_dir, known.pyargs):
        _, unknown = parser.parse_known_and_unknown_args(args, copy.copy(early_config.option))
        free = {argument.partition("=")[0] for argument in unknown} & set(ALIASES)
        args[:] = [_long_name(argument, free) for argument in args]
    return result


def _long_name(argument: str, free: set[str]) -> str:
    name, equals, value = argument.partition("=")
    return ALIASES[name] + equals + value if name in free else argument


def pytest_configure(config: pytest.Config) -> None:
    drawn = getattr(config, "workerinput", {}).get(_SEED)
    if drawn is None and config.getoption("--parity-seed") == "random":
        drawn = str(random.SystemRandom().randrange(2**31))
    if drawn is not None:
        config.option.parity_seed = drawn
    if config.getoption("--parity-engine") or _names_suite(config.args, config.getoption("pyargs")):
        session_of(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the seed, which may have been drawn, to a worker process of pytest-xdist."""
    node.workerinput[_SEED] = node.config.getoption("--parity-seed")


_SEED = "parity-seed"


def _names_suite(arguments: Sequence[str], pyargs: bool) -> bool:
    """Return whether arguments of pytest name a part of the package ``parity``."""
    if pyargs and any(re.match(r"parity\b", argument) for argument in arguments):
        return True
    paths = [Path(argument.partition("::")[0]) for argument in arguments]
    return any(
        path.resolve() == PACKAGE or PACKAGE in path.resolve().parents
        for path in paths
        if os.path.lexists(path)
    )


def session_of(config: pytest.Config) -> Session:
    """Return the part of the plugin that holds the engine under test; register it at first."""
    if _SESSION not in config.stash:
        spec = importlib.util.find_spec("parity")
        if spec is None or spec.origin != str(PACKAGE / "__init__.py"):
            where = spec.origin or list(spec.submodule_search_locations or ()) if spec else "?"
            pytest.exit(
                f"parity: error: a package of the same name, {where}, hides parity: run pytest "
                "where that is not on the path",
                returncode=2,
            )
        from parity.testing.plugin import Session  # only now: it imports PyTorch

        config.stash[_SESSION] = session = Session(config)
        config.pluginmanager.register(session, "parity-session")
    return config.stash[_SESSION]


_SESSION = pytest.StashKey["Session"]()


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> Suite:
    """The engine under test, with the checks of the suite."""
    return session_of(request.config).suite.for_test(request.node)
