"""Where measurements put their files: on a real disk, and outside of what version control looks at."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BASE = Path(__file__).parent.parent / ".scratch"
PROBES, DIRECTORIES = 256, 64
QUICK_S, PAUSE_S, PATIENCE_S = 100e-6, 15.0, 330.0


def filesystem_of(path: Path) -> str:
    """Return the type of the file system that holds a path, as the kernel calls it."""
    whole, kinds = path.resolve(), {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split(" ")
        # The last mount at a place hides those before it.
        kinds[Path(place.replace("\\040", " "))] = kind
    return kinds[max((one for one in kinds if whole.is_relative_to(one)), key=lambda one: len(one.parts))]


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a directory on ext4, or else beside the sources, and remove it at the end.

    Temporary directories often live in memory, where syncs and inserted ranges measure nothing.
    """
    temporary = Path(tempfile.gettempdir())
    base = temporary if filesystem_of(temporary) == "ext4" else BASE
    base.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base, prefix="armillary-bench-") as name:
        yield Path(name).resolve()


def wait_for_quick_files(folder: Path) -> None:
    """Wait until a new file costs microseconds, or for as long as the worst can last.

    ext4 without a journal looks at every inode that was deleted in the last minutes before it hands one out
    (`recently_deleted` in fs/ext4/ialloc.c of Linux): after a measurement that leaves many files, each new one
    costs up to half a millisecond of a processor, and that would be most of what the next one measures.
    """
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        probes = Path(tempfile.mkdtemp(prefix="probes-", dir=folder))
        begin = time.perf_counter()
        # In many directories, for these lie far from each other on the disk.
        for number in range(PROBES):
            path = probes / str(number % DIRECTORIES) / str(number)
            path.parent.mkdir(exist_ok=True)
            path.touch()
        if (time.perf_counter() - begin) / PROBES < QUICK_S:
            return
        time.sleep(PAUSE_S)
