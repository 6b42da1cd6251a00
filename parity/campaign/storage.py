"""Storage of a corpus: a local folder, or a URL of fsspec.

Names of files are relative, with ``/``. Writes are atomic: a file is complete or absent, also if
the process or the machine stops in the middle.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from parity._util.escape import one_line
from parity._util.files import LARGEST, read_bytes, too_large
from parity.campaign.errors import CampaignError, optional

_TEMPORARY = ".tmp"


class Store(Protocol):
    """Files by name. Methods raise CampaignError if the storage cannot be read or written.

    ``names`` are sorted, and none if there is no such folder. ``write`` with ``quick`` does not
    wait for the disk. ``create`` writes a file unless there is one of this name, and returns
    whether it was written. ``remove`` accepts that there is no file.
    """

    where: str
    #: A local file, which processes of this machine lock while they work on the store.
    lock_file: Path

    def names(self, folder: str) -> list[str]: ...
    def read(self, name: str) -> bytes | None: ...
    def write(self, name: str, data: bytes, quick: bool = False) -> None: ...
    def create(self, name: str, data: bytes) -> bool: ...
    def remove(self, name: str) -> None: ...


def open_store(where: str) -> Store:
    """The store of a folder or a URL. Raises CampaignError if it cannot be opened."""
    if not where.partition("://")[0]:
        raise CampaignError(f"corpus {where!r} has no name: give a folder, or a URL like s3://a/b")
    if where.startswith("file://"):
        return Folder(Path(where.removeprefix("file://")))
    return Remote(where) if "://" in where else Folder(Path(where))


class Folder:
    """A local folder; ``what`` it holds is named in error messages."""

    def __init__(self, path: Path, what: str = "corpus") -> None:
        self.path = path
        self.what = what
        self.where = str(path)
        self.lock_file = path / ".lock"

    def names(self, folder: str) -> list[str]:
        with self._errors("cannot be read"):
            path = self.path / folder
            found = path.iterdir() if path.is_dir() else ()
            return sorted(
                f"{folder}/{file.name}".removeprefix("./")
                for file in found
                if file.suffix != _TEMPORARY and file.is_file()
            )

    def read(self, name: str) -> bytes | None:
        with self._errors("cannot be read"), contextlib.suppress(FileNotFoundError):
            return read_bytes(self.path / name)
        return None

    def write(self, name: str, data: bytes, quick: bool = False) -> None:
        with self._errors("cannot be written"), self._written(name, data, quick) as temporary:
            os.replace(temporary, self.path / name)
            if not quick:  # the entry of the new file, on systems that can open folders
                with contextlib.suppress(OSError):
                    descriptor = os.open((self.path / name).parent, os.O_RDONLY)
                    try:
                        os.fsync(descriptor)
                    finally:
                        os.close(descriptor)

    def create(self, name: str, data: bytes) -> bool:
        with self._errors("cannot be written"), self._written(name, data) as temporary:
            try:
                os.link(temporary, self.path / name)
            except FileExistsError:
                return False
            return True

    def remove(self, name: str) -> None:
        with self._errors("cannot be written"):
            (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _written(self, name: str, data: bytes, quick: bool = False) -> Iterator[Path]:
        """A temporary file with ``data``, on the disk, in the folder of the final file."""
        file = self.path / name
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(6)}{_TEMPORARY}")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:
                stream.write(data)
                stream.flush()
                if not quick:
                    os.fsync(stream.fileno())
            yield temporary
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CampaignError(
                f"{self.what} {self.where} {what}: {error.strerror or one_line(error)}; "
                "what was written before is kept, and the same command goes on from there"
            ) from error


class Remote:
    """A URL of fsspec: s3://, gcs://, memory:// and others. Object stores write atomically."""

    def __init__(self, url: str) -> None:
        core = optional("fsspec.core", "distributed", f"corpus {url}")
        self.where = url
        name = f"parity-{hashlib.sha256(url.encode()).hexdigest()[:20]}.lock"
        self.lock_file = Path(tempfile.gettempdir(), name)
        self.root: str
        with self._errors("cannot be opened"):
            self.files, self.root = core.url_to_fs(url)

    def names(self, folder: str) -> list[str]:
        with self._errors("cannot be read"):
            self.files.invalidate_cache()
            try:
                found: list[dict[str, Any]] = self.files.ls(self._at(folder), detail=True)
            except FileNotFoundError:
                return []
            files = (e["name"].rpartition("/")[2] for e in found if e["type"] == "file")
            return sorted(f"{folder}/{name}".removeprefix("./") for name in files)

    def read(self, name: str) -> bytes | None:
        with self._errors("cannot be read"), contextlib.suppress(FileNotFoundError):
            size = self.files.size(self._at(name)) or 0
            if size > LARGEST:
                raise CampaignError(f"{self.where}/{name}: {too_large(size)}")
            return bytes(self.files.cat_file(self._at(name)))
        return None

    def write(self, name: str, data: bytes, quick: bool = False) -> None:
        with self._errors("cannot be written"):
            self.files.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            self.files.pipe_file(self._at(name), data)

    def create(self, name: str, data: bytes) -> bool:
        with self._errors("cannot be written"):
            self.files.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            try:
                self.files.pipe_file(self._at(name), data, mode="create")
            except FileExistsError:
                return False
        return self.read(name) == data  # some file systems check first and then write

    def remove(self, name: str) -> None:
        with self._errors("cannot be written"), contextlib.suppress(FileNotFoundError):
            self.files.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self.root}/{name}".removesuffix("/.")

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (CampaignError, FileNotFoundError):
            raise
        except Exception as error:  # each file system of fsspec has its own exceptions
            raise CampaignError(f"corpus {self.where} {what}: {one_line(error)}") from error
