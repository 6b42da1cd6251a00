"""The machine and the versions of a measurement."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from parity import __version__
from parity.bench.client import ROOT


def machine() -> dict[str, Any]:
    """The object ``machine`` of the JSON, without the loads."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "memory_bytes": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def load() -> float:
    """The average load of the last minute; 0 where the system does not know it."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return 0.0


def versions() -> dict[str, str]:
    """The object ``versions`` of the JSON; ``revision`` is empty outside a git checkout."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": metadata.version("torch").partition("+")[0],
        "parity": __version__,
        "revision": _revision(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _revision() -> str:
    """The commit of this package, with ``+`` where files differ from it."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
        )
    except OSError:  # no git
        return ""
    return done.stdout.strip()
