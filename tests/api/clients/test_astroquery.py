"""astroquery.gemini itself, as published, against a running server.

Its queries go where it is told. The addresses of files and of the login are written in it, so a session takes what
it sends there to this server.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from astropy import units
from astropy.config import set_temp_cache, set_temp_config
from astropy.coordinates import SkyCoord

from tests.support.night import gemini_file, write_as
from tests.support.running import Running

WRITTEN = "https://archive.gemini.edu"
PROGRAM = "GN-2026A-Q-701"
PAST, FUTURE = "2020-01-01", "2900-01-01"
FRAMES: dict[str, dict[str, Any]] = {
    "N20260301S0001.fits": {"OBJECT": "M 101", "RA": 210.80, "DEC": 54.35, "RELEASE": PAST, "EXPTIME": 30.0},
    "N20260301S0002.fits": {"OBJECT": "m 101", "RA": 210.81, "DEC": 54.36, "RELEASE": PAST, "EXPTIME": 10.0},
    "N20260301S0003.fits": {
        "OBJECT": "NGC 1",
        "RA": 1.8,
        "DEC": 27.7,
        "RELEASE": FUTURE,
        "EXPTIME": 20.0,
        "GRATING": "R400+_G5305",
        "MASKTYP": 1,
        "MASKNAME": "1.0arcsec",
    },
    "N20260302S0004.fits": {"OBJECT": "Bias", "OBSTYPE": "BIAS", "OBSCLASS": "dayCal", "RELEASE": PAST},
}
M1, M2, NGC, BIAS = FRAMES


class Here(requests.adapters.HTTPAdapter):
    """Takes requests for an address that is written in a client to another server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.replies: list[requests.Response] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send a request, and keep the reply."""
        assert request.url
        request.url = request.url.replace(WRITTEN, self._url)
        reply = super().send(request, *args, **options)
        self.replies.append(reply)
        return reply


@pytest.fixture(scope="module")
def contents(server: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Take the frames in and return their bytes."""
    folder = tmp_path_factory.mktemp("night")
    found = {}
    for number, (name, cards) in enumerate(FRAMES.items(), 1):
        ids = {"GEMPRGID": PROGRAM, "OBSID": f"{PROGRAM}-1", "DATALAB": f"{PROGRAM}-1-{number:03d}"}
        day = f"{name[1:5]}-{name[5:7]}-{name[7:9]}"
        found[name] = gemini_file(**ids, DATE_OBS=day, UT=f"0{number}:00:00", PINAME="Paul Hirst", **cards)
        server.ingest(write_as(folder / name, found[name]))
    return found


@pytest.fixture
def here(server: Running) -> Iterator[Here]:
    """Return what takes requests for written addresses to the server."""
    adapter = Here(server.url)
    yield adapter
    for reply in adapter.replies:
        # The client leaves a reply open whose status it does not like.
        reply.close()


@pytest.fixture
def gemini(server: Running, here: Here, contents: dict[str, bytes], tmp_path: Path) -> Iterator[Any]:
    """Return the client, with nothing of it left behind."""
    with set_temp_cache(tmp_path), set_temp_config(tmp_path):
        from astroquery.gemini import ObservationsClass
        from astroquery.gemini.urlhelper import URLHelper

        client = ObservationsClass()
        client.url_helper = URLHelper(server.url)
        with client._session as session:  # noqa: SLF001 - it has no other door
            session.mount(WRITTEN, here)
            yield client


def test_criteria_choose_and_sort(gemini: Any) -> None:
    found = gemini.query_criteria(
        program_id=PROGRAM.lower(),
        instrument="GMOS-N",
        observation_class="science",
        observation_type="OBJECT",
        raw_reduced="RAW",
        pi_name="hirst",
        utc_date=(date(2026, 3, 1), date(2026, 3, 2)),
        orderby="exposure_time_desc",
    )
    assert list(found["name"]) == [M1, NGC, M2]
    assert list(found["exposure_time"]) == ["30.0", "20.0", "10.0"]
    assert found["types"][0] == "{'GEMINI', 'GMOS', 'IMAGE', 'NORTH', 'RAW', 'UNPREPARED'}"
    assert "'LS'" in found["types"][1]
    assert all(str(text).endswith("+00:00") for text in found["lastmod"])
    assert found["ut_datetime"][0] == "2026-03-01 01:00:00"


@pytest.mark.parametrize(
    ("criteria", "names"),
    [
        ({"mode": "imaging"}, [M1, M2, BIAS]),
        ({"mode": "spectroscopy"}, [NGC]),
        ({"mode": "LS"}, [NGC]),
        ({"adaptive_optics": "NOTAO"}, [M1, M2, NGC, BIAS]),
        ({"adaptive_optics": "LGS"}, []),
        ({"observation_class": "dayCal"}, [BIAS]),
        ({"observation_type": "FLAT"}, []),
        ({"raw_reduced": "PROCESSED_BIAS"}, []),
        ({"objectname": "ngc*", "orderby": "no_such_field"}, [NGC]),
        ({"orderby": "data_label_desc"}, [BIAS, NGC, M2, M1]),
    ],
)
def test_each_criterion(gemini: Any, criteria: dict[str, str], names: list[str]) -> None:
    assert list(gemini.query_criteria(program_id=PROGRAM, **criteria)["name"]) == names


def test_objects_are_found_by_name_in_any_case(gemini: Any) -> None:
    assert list(gemini.query_object("M 101")["name"]) == [M1, M2]
    assert list(gemini.query_object("m 101", radius=5 * units.arcsec)["name"]) == [M1, M2]
    assert len(gemini.query_object("Nowhere")) == 0


def test_regions_are_circles(gemini: Any) -> None:
    centre = SkyCoord(210.80, 54.35, unit="deg")
    assert list(gemini.query_region(centre)["name"]) == [M1, M2]
    assert list(gemini.query_region(centre, radius=1 * units.arcsec)["name"]) == [M1]
    with pytest.warns(match="interpreted as an ICRS coordinate"):
        found = gemini.query_region("00h07m12s +27d42m00s", radius="0.1 deg")
    assert list(found["name"]) == [NGC]
    assert len(gemini.query_region(SkyCoord(10, -80, unit="deg"))) == 0


def test_raw_queries_pass_through(gemini: Any) -> None:
    assert list(gemini.query_raw("GMOS-N", "BIAS", PIname="Hirst", progid=PROGRAM)["name"]) == [BIAS]
    found = gemini.query_raw("includeengineering", "AnyQA", progid=PROGRAM, orderby="entrytime_desc")
    assert list(found["name"]) == [BIAS, NGC, M2, M1]


def test_files_come_whole_or_not_at_all(gemini: Any, contents: dict[str, bytes], tmp_path: Path) -> None:
    gemini.get_file(M1, download_dir=str(tmp_path))
    assert (tmp_path / M1).read_bytes() == contents[M1]
    with pytest.raises(requests.HTTPError, match="403"):
        gemini.get_file(NGC, download_dir=str(tmp_path))
    assert not (tmp_path / NGC).exists()


def test_a_login_is_refused_clearly(gemini: Any, here: Here) -> None:
    """There are no passwords here; the client says that it could not log in, and goes on as anybody."""
    gemini.login("somebody", "a password")
    assert gemini.authenticated() is False
    (reply,) = here.replies
    assert (reply.status_code, reply.json()) == (404, {"message": "Not Found"})
    assert "password" not in reply.text
    assert list(gemini.query_object("NGC 1")["name"]) == [NGC]
