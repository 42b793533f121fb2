"""Children that look at small files, started while the command itself still loads: there is a core for each.

Loads little, since nothing else is loaded yet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from armillary.archive.catalog.media import FITS_NAME
from armillary.archive.intake.small import LEAST, seems_small
from armillary.base.place import PRIVATE, root_name
from armillary.base.sandbox.pool import Child

MODULES = ("armillary.archive.intake.portions", "armillary.archive.products.drawing")
"""What a child needs to look at small files."""
CORES = 2
"""Fewer have no time for a child while the command loads."""
ENTRIES = 1000
"""Entries of directories that are looked at: where so many are no files for these children, few will be."""


@contextmanager
def children_for(paths: Sequence[Path], data: Path) -> Iterator[Callable[[], Sequence[Child]]]:
    """Start a child if many small files seem to be there, and a core for it.

    Another one is started by whoever calls what is returned, once most of the command is loaded: two would take
    time from that. Both are ended with the block. What is wrong with files is told by whoever looks for them.
    """
    started: list[Child] = []
    with suppress(OSError):
        if first := child_for(paths, data):
            started.append(first)

    def both() -> Sequence[Child]:
        with suppress(OSError):
            if started:
                started.append(Child(MODULES))
        return started

    try:
        yield both
    finally:
        for child in started:
            child.end()


def child_for(paths: Sequence[Path], data: Path) -> Child | None:
    """Start a child if many small files seem to be there, and a core for it; the caller ends it.

    Of a directory that was taken into the archive ``data`` before most files will not have changed. It is only a
    guess: whoever looks at files starts children when none are there.
    """
    if len(os.sched_getaffinity(0)) < CORES:
        return None
    new = [path for path in paths if not _was_taken_in(path, data)]
    some = list(islice(filter(_is_ours, islice(_entries(new), ENTRIES)), LEAST))
    return Child(MODULES) if len(some) == LEAST and all(map(seems_small, some)) else None


def _was_taken_in(path: Path, data: Path) -> bool:
    try:
        return (data / PRIVATE / root_name(path.resolve())).is_dir()
    except (OSError, RuntimeError):
        return False


def _entries(paths: Sequence[Path]) -> Iterator[str]:
    """Yield paths of files and, below directories, of files and directories."""
    below: list[str] = []
    for path in paths:
        if path.is_dir():
            below.append(str(path))
        else:
            yield str(path)
    while below:
        with suppress(OSError), os.scandir(below.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                yield entry.path


def _is_ours(path: str) -> bool:
    name = os.path.basename(path)  # noqa: PTH119  # a text and not a path: that is five times as fast
    return bool(FITS_NAME.fullmatch(name)) and not name.startswith(".")
