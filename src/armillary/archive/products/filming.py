"""Movies as WebM (VP9), made in a child process, which loads no more than this needs.

Frames pass one by one, and what comes out goes to a file without a name: whatever becomes of the process, nothing
is left of it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from armillary.archive.errors import MediaTooLarge, MediaUnreadable, NoEncoder
from armillary.archive.products.drawing import Subject, read_at
from armillary.archive.products.imaging import MOST_PIXELS, Encoded
from armillary.errors import ArmillaryError
from armillary.fits.containers import open_logical
from armillary.fits.header import read_values
from armillary.fits.pictures import limits, shades
from armillary.fits.planes import first_image, time_axis
from armillary.fits.shrink import shrink

if TYPE_CHECKING:
    from av import VideoFrame

ENCODER = "libvpx-vp9"
OPTIONS = {"deadline": "good", "cpu-used": "5", "crf": "32", "b": "0"}
MOST_BYTES = 64 << 20
"""Bytes of a movie that comes out: it is in memory once."""
MOST_PLANES = 1000
"""Of more planes only every second or third is shown."""
RATE = 10
"""Planes of a second."""
TICK = Fraction(1, 1000)
"""WebM counts milliseconds."""


def movie_of_file(fd: int, name: str, long_side_px: int) -> Encoded:
    """Return an opened movie as WebM of that size at most, at its own pace.

    Raises
    ------
    MediaUnreadable
        If it is no movie that can be decoded.
    MediaTooLarge
        If it has too many pixels, or too many bytes come out.
    NoEncoder
        If there is no encoder.
    """
    av = _av()
    with _reading(name), open(fd, "rb", closefd=False) as file:
        file.seek(0)
        # No other form is looked for: some of them are lists of other files, which would be opened.
        with av.open(file, format="mov") as movie:
            if not movie.streams.video:
                raise MediaUnreadable(f"{name} has no pictures that move; replace it by a movie.")
            stream = movie.streams.video[0]
            codec = stream.codec_context
            if codec.width * codec.height > MOST_PIXELS:
                raise MediaTooLarge(f"{name} has {codec.width} x {codec.height} pixels; make it smaller.")
            codec.options = {"max_pixels": str(MOST_PIXELS)}
            codec.thread_count = 1
            size = _fitting(codec.width, codec.height, long_side_px)
            return _encoded(name, _timed(movie.decode(stream)), size)


def movie_of_data(fd: int, subject: Subject) -> Encoded:
    """Return the planes along the axis of time of the first image in an opened FITS file as a movie."""
    av = _av()
    read = open_logical(partial(read_at, fd), subject.container, limit=subject.max_unpacked)
    image = first_image(subject.layout, map(read_values, subject.layout.headers))
    axis = time_axis(image) if image else None
    if image is None or axis is None:
        raise MediaUnreadable("The data have no axis of time.")
    step = -(-axis.length // MOST_PLANES)

    def values(index: int) -> npt.NDArray[np.float64]:
        plane = image.plane(read, {axis.number: index})
        return shrink(plane, -(-max(plane.width, plane.height) // subject.long_side_px))

    shown = range(0, axis.length, step)
    black, white = _common_limits([values(index) for index in {shown[0], shown[len(shown) // 2], shown[-1]}])
    height, width = values(0).shape

    def frames() -> Iterator[tuple[VideoFrame, int]]:
        for number, index in enumerate(shown):
            grey = np.ascontiguousarray(shades(values(index), black, white)[::-1])
            yield av.VideoFrame.from_ndarray(grey, format="gray"), number * 1000 // RATE

    return _encoded("The data", frames(), _fitting(width, height, subject.long_side_px))


def _common_limits(some: Sequence[npt.NDArray[np.float64]]) -> tuple[float, float]:
    """Return what is black and white in a whole movie: it would flicker if each plane had its own."""
    return limits(np.concatenate(some))


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise NoEncoder from None
    try:
        av.Codec(ENCODER, "w")
    except ValueError:
        raise NoEncoder(
            f"The installed package av has no encoder {ENCODER}: install armillary[media]."
        ) from None
    return av


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (MemoryError, ArmillaryError):
        raise
    except Exception as error:
        # Decoders fail in many ways, some of which are faults of theirs.
        said = getattr(error, "strerror", None) or error
        raise MediaUnreadable(f"{name} cannot be read as a movie: {said}; replace it.") from error


def _fitting(width: int, height: int, long_side_px: int) -> tuple[int, int]:
    """Return a size of whole pairs of pixels, as colours are kept for pairs only."""
    ratio = min(1.0, long_side_px / max(width, height, 1))
    across, down = (max(2, 2 * round(side * ratio / 2)) for side in (width, height))
    return across, down


def _timed(frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
    """Yield frames with their milliseconds since the first; two never have the same."""
    begin, last = None, -1
    for number, frame in enumerate(frames):
        seconds = frame.time if frame.time is not None else number / RATE
        begin = seconds if begin is None else begin
        last = max(last + 1, round((seconds - begin) * 1000))
        yield frame, last


def _encoded(name: str, frames: Iterable[tuple[VideoFrame, int]], size: tuple[int, int]) -> Encoded:
    av = _av()
    width, height = size
    count = 0
    with tempfile.TemporaryFile() as made:
        # Equal frames make equal bytes, which are stored once.
        with av.open(made, "w", format="webm", options={"fflags": "+bitexact"}) as movie:
            stream = movie.add_stream(ENCODER, rate=RATE, options=OPTIONS)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base, stream.codec_context.thread_count = TICK, 1
            for frame, at_ms in frames:
                small = frame.reformat(width, height, "yuv420p")
                small.pts, small.time_base = at_ms, TICK
                movie.mux(stream.encode(small))
                count += 1
                if made.tell() > MOST_BYTES:
                    raise MediaTooLarge(
                        f"The movie of {name} has more than {MOST_BYTES} bytes; make it shorter."
                    )
            movie.mux(stream.encode(None))
        if not count:
            raise MediaUnreadable(f"{name} has no frames; replace it by a movie.")
        made.seek(0)
        return Encoded(made.read(), width, height)
