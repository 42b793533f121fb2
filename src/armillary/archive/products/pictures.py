"""Preview and thumbnail of the first image of a version."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from armillary.archive.catalog.standing import check_standing
from armillary.archive.errors import PictureFailed, PictureTooLarge, PictureTooSlow
from armillary.archive.products.files import JPEG
from armillary.archive.products.models import Made
from armillary.archive.products.sources import Work, stored_chunks
from armillary.base.sandbox.errors import ChildDied, OutOfMemory, OutOfTime
from armillary.base.sandbox.pool import Ask
from armillary.base.store import Snapshot
from armillary.context import Context
from armillary.fits.containers import Container

if TYPE_CHECKING:
    from armillary.fits.pictures import Picture

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What making something may take: bytes of memory and seconds, and the setting that these come from."""

    of: str
    memory: int
    seconds: float
    setting: str = "preview_s"


async def pictures(context: Context, work: Work) -> list[Made]:
    """Return the pictures of a version, none without an image.

    Raises
    ------
    PictureTooLarge, PictureTooSlow, PictureFailed
        If there can be none.
    """
    return made_of(await _drawn(context, work))


def made_of(drawn: Mapping[str, Picture]) -> list[Made]:
    """Return pictures as products."""
    return [Made(kind, JPEG, one.jpeg, one.width, one.height) for kind, one in drawn.items()]


async def _drawn(context: Context, work: Work) -> dict[str, Picture]:
    # Only here: arrays and pictures take long to load, and most who know of products draw none.
    from armillary.archive.products.drawing import Subject, draw

    settings, current = context.settings.archive, work.current
    subject = Subject(
        current.layout(), Container(current.container), settings.preview_px, settings.max_unpacked
    )
    return await in_child(context, work, draw, subject)


async def in_child(context: Context, work: Work, draw: Callable[[int, S], T], subject: S) -> T:
    """Let a child process make something of the stored bytes of a version: what it decodes, strangers wrote.

    Raises
    ------
    PictureTooLarge, PictureTooSlow, PictureFailed
        If it takes more memory or time than it may, or dies of it.
    """
    settings, current = context.settings.archive, work.current
    limits = Limits("A preview", settings.preview_memory, settings.preview_s)

    def draw_it(ask: Ask) -> T:
        with work.bytes_of.open(current.location.key) as snapshot, described(snapshot) as fd:
            check_standing(current, snapshot)
            return ask(draw, fd, subject)

    return await confined(context, limits, draw_it)


async def confined(context: Context, limits: Limits, work: Callable[[Ask], T], *, quick: bool = False) -> T:
    """Run work that asks a child process, within limits; ``quick`` is what takes milliseconds.

    Raises
    ------
    PictureTooLarge, PictureTooSlow, PictureFailed
        If it takes more memory or time than it may, or dies of it.
    """
    try:
        sandbox = context.quick if quick else context.sandbox
        return await sandbox.run(work, memory=limits.memory, seconds=limits.seconds)
    except OutOfMemory:
        raise PictureTooLarge(
            f"{limits.of} takes more than {limits.memory} bytes of memory;"
            " raise archive.preview_memory to allow that."
        ) from None
    except OutOfTime:
        raise PictureTooSlow(
            f"{limits.of} takes more than {limits.seconds:g} s; raise archive.{limits.setting} to allow that."
        ) from None
    except ChildDied as error:
        raise PictureFailed(f"{error.message} The image may be damaged.") from None


@contextmanager
def described(snapshot: Snapshot) -> Iterator[int]:
    """Give a descriptor of the bytes of a snapshot: its own, or that of a copy that is gone at the end."""
    if (fd := snapshot.fileno()) is not None:
        yield fd
        return
    with tempfile.TemporaryFile() as copy:
        for chunk in stored_chunks(snapshot):
            copy.write(chunk)
        copy.flush()
        yield copy.fileno()
