"""Cubes with data, and pictures and movies to lie beside them."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from PIL import Image

needs_av = pytest.mark.skipif(find_spec("av") is None, reason="movies need the extra media: the package av")
"""Of tests that make or look at movies."""
Pixels = npt.NDArray[np.uint8]
CTYPES = ("HPLN-TAB", "HPLT-TAB", "WAVE-TAB", "STOKES", "TIME-TAB")


def a_cube(shape: tuple[int, ...], *, packed: bool = False, named: bool = True, **cards: Any) -> bytes:
    """Return a file with an image of noise of that shape, the slowest axis first."""
    values = np.random.default_rng(3).normal(100, 3, shape).astype("f4")
    header = fits.Header()
    if named:
        header.update({f"CTYPE{n}": name for n, name in enumerate(CTYPES[: len(shape)], start=1)})
    header.update(cards)
    image = fits.CompImageHDU(values, header) if packed else fits.PrimaryHDU(values, header)
    made = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image] if packed else [image]).writeto(made)
    return made.getvalue()


def a_table() -> bytes:
    """Return a file with a table alone."""
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(5))])
    made = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(made)
    return made.getvalue()


def a_picture(form: str, size: tuple[int, int] = (600, 300), colour: Any = "red", mode: str = "RGB") -> bytes:
    """Return a picture in one colour."""
    made = io.BytesIO()
    Image.new(mode, size, colour).save(made, form)
    return made.getvalue()


def put_movie(path: Path, *, frames: int = 8, size: tuple[int, int] = (160, 90), level: int = 200) -> Path:
    """Write a movie that becomes brighter, at 25 frames a second."""
    import av

    with av.open(path, "w", format=path.suffix[1:]) as movie:
        stream = movie.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            grey = np.full((size[1], size[0]), level * number // frames, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
            movie.mux(stream.encode(frame))
        movie.mux(stream.encode(None))
    return path


def shown(content: bytes) -> tuple[str, Image.Image]:
    """Return the format of a picture, and the picture."""
    opened = Image.open(io.BytesIO(content))
    opened.load()
    return opened.format or "", opened


def played(content: bytes) -> tuple[str, list[Pixels], list[float]]:
    """Return the codec of a movie, its frames in grey, and their times in seconds."""
    import av

    with av.open(io.BytesIO(content)) as movie:
        frames = list(movie.decode(video=0))
        grey = [frame.to_ndarray(format="gray") for frame in frames]
        return (
            movie.streams.video[0].codec_context.codec.canonical_name,
            grey,
            [frame.time or 0.0 for frame in frames],
        )
