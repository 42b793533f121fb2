"""Where measurements put their files: on a real disk, and outside of what version control looks at."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BASE = Path(__file__).parent.parent / ".scratch"


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
