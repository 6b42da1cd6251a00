"""The Hypothesis example database of failing programs: a folder, or Redis to share it."""

from __future__ import annotations

import os

from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

from parity._util.escape import file_name, one_line, without_password
from parity.campaign.errors import CampaignError, optional
from parity.campaign.paths import EXAMPLES
from parity.engines.runner import AnyEngine


def examples_of(
    engine: AnyEngine, profile: str, where: str | None = None
) -> ExampleDatabase | None:
    """The database of a profile on an engine: ``where``, else the folder ``.hypothesis``.

    Without ``where`` there is none on a CI server, as with Hypothesis itself. Raises CampaignError
    if Redis cannot be used.
    """
    if where:
        return _redis(where, f"parity:{file_name(engine.name)}:{profile}:".encode())
    if os.environ.get("CI"):
        return None
    return DirectoryBasedExampleDatabase(EXAMPLES / file_name(engine.name) / profile)


def check_database(where: str) -> None:
    """Raise CampaignError if Redis cannot be used, before anything runs."""
    _redis(where, b"parity:")


def _redis(url: str, prefix: bytes) -> ExampleDatabase:
    if url.partition(":")[0] not in ("redis", "rediss", "unix"):
        raise CampaignError(
            f"database {without_password(url)!r} is no address like redis://localhost:6379"
        )
    shown = without_password(url)
    redis = optional("redis", "distributed", f"database {shown}")
    extra = optional("hypothesis.extra.redis", "distributed", f"database {shown}")
    try:
        client = redis.Redis.from_url(url)
        client.ping()
    except (redis.RedisError, ValueError) as error:
        why = one_line(error).replace(url, shown)
        raise CampaignError(f"database {shown} cannot be used: {why}") from error
    database: ExampleDatabase = extra.RedisExampleDatabase(client, key_prefix=prefix)
    return database
