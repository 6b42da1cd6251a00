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
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = 0
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count() or 0,
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def load() -> float:
    """The average load of the last minute; 0 where the system does not know it."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return 0.0


def versions() -> dict[str, str]:
    """The object ``versions`` of the JSON.

    ``revision`` is the commit of this package, with ``+`` where files differ from it; it is empty
    outside a git checkout.
    """
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        revision = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:  # no git
        revision = ""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": metadata.version("torch").partition("+")[0],
        "parity": __version__,
        "revision": revision,
    }
