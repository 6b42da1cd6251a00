"""The Hypothesis example database of failing programs: a folder, or Redis to share it."""

from __future__ import annotations

import importlib
import os

from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

from parity._util.errors import UsageError
from parity.campaign.paths import EXAMPLES
from parity.engines.runner import AnyEngine


class DatabaseError(UsageError):
    """A database cannot be used; the message is one line that says why and what to do."""


def examples_of(
    engine: AnyEngine, profile: str, where: str | None = None
) -> ExampleDatabase | None:
    """The database of a profile on an engine.

    Parameters
    ----------
    engine
        The engine under test.
    profile
        The name of a profile.
    where
        ``redis://host:port``, or None for the folder ``.hypothesis``.

    Returns
    -------
    None without ``where`` on a CI server, as with Hypothesis itself.

    Raises
    ------
    DatabaseError
        If Redis cannot be used.
    """
    if where:
        return _redis(where, f"parity:{engine.name}:{profile}:".encode())
    if os.environ.get("CI"):
        return None
    return DirectoryBasedExampleDatabase(EXAMPLES / engine.name / profile)


def check_database(where: str) -> None:
    """Raise DatabaseError if Redis cannot be used, before anything runs."""
    _redis(where, b"parity:")


def _redis(url: str, prefix: bytes) -> ExampleDatabase:
    if url.partition(":")[0] not in ("redis", "rediss", "unix"):
        raise DatabaseError(f"database {url!r} is no address like redis://localhost:6379")
    try:
        redis = importlib.import_module("redis")
        extra = importlib.import_module("hypothesis.extra.redis")
    except ImportError:
        raise DatabaseError(
            f"database {url} needs redis, not installed here: "
            "pip install 'dezero-parity[distributed]'"
        ) from None
    try:
        client = redis.Redis.from_url(url)
        client.ping()
    except (redis.RedisError, ValueError) as error:
        raise DatabaseError(f"database {url} cannot be used: {' '.join(str(error).split())}") from (
            error
        )
    database: ExampleDatabase = extra.RedisExampleDatabase(client, key_prefix=prefix)
    return database
