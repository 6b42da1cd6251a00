"""Where Hypothesis keeps programs that failed: a folder, or Redis to share them."""

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
    """The failing programs of a profile on an engine.

    ``where``: ``redis://host:port``, else they are in the folder ``.hypothesis``, and nowhere
    if CI is set. Raises DatabaseError where Redis cannot be used.
    """
    if where:
        return _redis(where, f"parity:{engine.name}:{profile}:".encode())
    if os.environ.get("CI"):
        return None
    return DirectoryBasedExampleDatabase(EXAMPLES / engine.name / profile)


def check_database(where: str) -> None:
    """Raises DatabaseError, before anything runs, where Redis cannot be used."""
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
