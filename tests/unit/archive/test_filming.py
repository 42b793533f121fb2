"""Movies that strangers wrote are decoded within limits, and as nothing but movies."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from armillary.archive.errors import MediaTooLarge, MediaUnreadable
from armillary.archive.products import filming
from armillary.archive.products.imaging import Encoded
from tests.support.media import needs_av, played, put_movie

pytestmark = needs_av


def filmed(path: Path, long_side_px: int = 100) -> Encoded:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return filming.movie_of_file(descriptor, path.name, long_side_px)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("size", "px", "wanted"),
    [((160, 90), 100, (100, 56)), ((62, 30), 100, (62, 30)), ((16, 256), 64, (4, 64))],
)
def test_sizes_are_whole_pairs_of_pixels_and_never_enlarged(
    tmp_path: Path, size: tuple[int, int], px: int, wanted: tuple[int, int]
) -> None:
    movie = filmed(put_movie(tmp_path / "a.mp4", size=size), px)
    assert (movie.width, movie.height) == wanted
    _, frames, _ = played(movie.content)
    assert frames[0].shape == (wanted[1], wanted[0])


def test_equal_movies_come_out_equal(tmp_path: Path) -> None:
    path = put_movie(tmp_path / "a.mov")
    assert filmed(path) == filmed(path)


def test_frames_with_too_many_pixels_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filming, "MOST_PIXELS", 10_000)
    with pytest.raises(MediaTooLarge, match=r"a\.mp4 has 160 x 90 pixels; make it smaller"):
        filmed(put_movie(tmp_path / "a.mp4"))


def test_a_movie_that_becomes_too_large_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filming, "MOST_BYTES", 100)
    with pytest.raises(MediaTooLarge, match="more than 100 bytes"):
        filmed(put_movie(tmp_path / "a.mp4", frames=200))


def test_a_movie_cut_short_is_unreadable(tmp_path: Path) -> None:
    path = put_movie(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(MediaUnreadable, match=r"a\.mp4 cannot be read as a movie"):
        filmed(path)


def test_a_list_of_other_files_is_no_movie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_movie(tmp_path / "other.mp4")
    # Names in it are looked for where the process is.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(MediaUnreadable, match=r"a\.mp4 cannot be read as a movie"):
        filmed(tmp_path / "a.mp4")


def test_an_audio_track_alone_is_no_movie(tmp_path: Path) -> None:
    import av

    with av.open(tmp_path / "a.mp4", "w") as sound:
        stream = sound.add_stream("aac", rate=44_100)
        silence = np.zeros((1, 1024), "f4")
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.rate = 44_100
        sound.mux(stream.encode(frame))
        sound.mux(stream.encode(None))
    with pytest.raises(MediaUnreadable, match="no pictures that move"):
        filmed(tmp_path / "a.mp4")
