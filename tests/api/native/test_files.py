"""What the native routes tell of one file, its versions and its headers, and to whom."""

from __future__ import annotations

import hashlib
import io
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from astropy.io import fits

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running

RELEASE = (datetime.now(UTC).date() + timedelta(days=400)).isoformat()


def get(server: Running, path: str, *, scope: Scope | None = None, **options: Any) -> httpx.Response:
    """Fetch a path below /v1/files."""
    with server.client(scope=scope) as client:
        return client.get(f"/v1/files/{path}", **options)


def body(server: Running, path: str, **options: Any) -> dict[str, Any]:
    """Return the JSON that is there."""
    reply = get(server, path, **options)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_a_file_is_told_with_digests_places_and_frame(server: Running, a_file: Maker) -> None:
    name = a_file(container=".bz2", EXPTIME=12.5, OBJECT="M31", RELEASE="2020-01-01")
    found = body(server, name)
    version = found["version"]
    assert (found["name"], found["versions"], found["visible"], version["number"]) == (name, 1, True, 1)
    place = {key: version[key] for key in ("root", "path", "filename")}
    assert found["present"] == [place | {"version": version["id"]}]
    content = get(server, f"{name}/content").content
    assert len(content) == version["data_size"]
    assert hashlib.md5(content).hexdigest() == version["data_md5"]
    assert version["container"] == "bz2"
    assert (found["frame"]["exposure_s"], found["frame"]["object"]) == (12.5, "M31")
    assert "keywords" not in found["frame"]
    with fits.open(io.BytesIO(content)) as hdus:
        assert [one["index"] for one in version["hdus"]] == list(range(len(hdus)))
    # The name of the stored file leads there, too.
    assert body(server, f"{name}.bz2") == found


def test_versions_are_listed_newest_first_page_by_page(server: Running, a_file: Maker) -> None:
    name = a_file()
    for number in range(3):
        server.edit(name, {"generic": {"OBJECT": f"M{number}"}})
    whole = body(server, f"{name}/versions")
    assert [one["number"] for one in whole["versions"]] == [4, 3, 2, 1]
    assert [one["origin"] for one in whole["versions"]] == ["edit"] * 3 + ["ingest"]
    assert [one["canonical"] for one in whole["versions"]] == [True, False, False, False]
    assert whole["versions"][0]["previous"] == whole["versions"][1]["id"]
    assert whole["cursor"] is None
    seen, cursor = [], None
    while not seen or cursor:
        page = body(server, f"{name}/versions", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        seen += page["versions"]
        cursor = page["cursor"]
    assert seen == whole["versions"]


def test_headers_are_what_an_independent_reader_finds(server: Running, a_file: Maker) -> None:
    name = a_file(RELEASE="2020-01-01")
    server.edit(name, {"generic": {"LONGTEXT": "x" * 200, "RATIO": 1e5, "FLAG": True, "NOTHING": None}})
    shown = body(server, f"{name}/headers")
    with fits.open(io.BytesIO(get(server, f"{name}/content").content)) as hdus:
        for one, hdu in zip(shown["hdus"], hdus, strict=True):
            cards = {card["keyword"]: card for card in one["cards"]}
            for card in hdu.header.cards:
                if card.keyword not in ("", "COMMENT", "HISTORY", "CONTINUE"):
                    value = None if isinstance(card.value, fits.card.Undefined) else card.value
                    assert cards[card.keyword]["value"] == value
                    assert type(cards[card.keyword]["value"]) is type(value)
            assert body(server, f"{name}/headers/{one['index']}")["hdus"] == [one]
            text = get(server, f"{name}/headers/{one['index']}", params={"format": "text"})
            assert text.headers["content-type"].startswith("text/plain")
            assert fits.Header.fromstring(text.text, sep="\n").tostring() == hdu.header.tostring()
    accepted = get(server, f"{name}/headers", headers={"Accept": "text/plain"})
    assert accepted.text.startswith("SIMPLE  =                    T")
    assert all(len(line) in (0, 80) for line in accepted.text.splitlines())


def test_an_older_version_keeps_its_headers(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="first")
    server.edit(name, {"generic": {"OBJECT": "second"}})
    new, old = (one["id"] for one in body(server, f"{name}/versions")["versions"])

    def target(version: int) -> str:
        shown = body(server, f"{name}/headers/0", params={"version": version})
        assert shown["version"] == version
        return next(card["value"] for card in shown["hdus"][0]["cards"] if card["keyword"] == "OBJECT")

    assert (target(old), target(new)) == ("first", "second")
    found = body(server, f"{name}/diff")
    assert (found["from"], found["to"]) == (old, new)
    changed = [(one["hdu"], one["sign"], one["card"][:8].strip()) for one in found["cards"]]
    assert changed.count((0, "-", "OBJECT")) == changed.count((0, "+", "OBJECT")) == 1
    assert {keyword for _, _, keyword in changed} <= {"OBJECT", "CHECKSUM"}
    back = body(server, f"{name}/diff", params={"from": new, "to": old})
    assert {(one["sign"], one["card"]) for one in back["cards"]} == {
        ("+" if one["sign"] == "-" else "-", one["card"]) for one in found["cards"]
    }
    text = get(server, f"{name}/diff", params={"format": "text"}).text
    assert "-0 OBJECT  = 'first" in text
    assert "+0 OBJECT  = 'second" in text
    assert body(server, f"{name}/diff", params={"from": new})["cards"] == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("absent.fits", 404, "file_not_found"),
        ("absent.fits/versions", 404, "file_not_found"),
        ("absent.fits/headers", 404, "file_not_found"),
        ("absent.fits/diff", 404, "file_not_found"),
        ("absent.fits/content", 404, "file_not_found"),
        ("%00", 404, "file_not_found"),
        ("NAME/headers?version=999999999", 404, "version_not_found"),
        ("NAME/headers?version=0", 422, "invalid_parameter"),
        ("NAME/headers?format=xml", 422, "invalid_parameter"),
        ("NAME/headers/99", 404, "hdu_not_found"),
        ("NAME/headers/99999999999999999999", 404, "hdu_not_found"),
        ("NAME/headers/NOSUCH", 404, "hdu_not_found"),
        ("NAME/headers/SCI,9", 404, "hdu_not_found"),
        ("NAME/diff?from=999999999", 404, "version_not_found"),
        ("NAME/versions?limit=0", 422, "invalid_parameter"),
        ("NAME/nonsense", 404, "no_preview"),
    ],
)
def test_what_is_not_there_is_named(
    server: Running, shared_file: str, path: str, status: int, code: str
) -> None:
    reply = get(server, path.replace("NAME", shared_file))
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text


def test_a_version_of_another_file_is_not_shown_as_one_of_this(server: Running, a_file: Maker) -> None:
    one, other = a_file(), a_file()
    foreign = body(server, other)["version"]["id"]
    for path in (
        f"{one}/headers?version={foreign}",
        f"{one}/diff?from={foreign}",
        f"{one}/diff?to={foreign}",
    ):
        assert get(server, path).json()["code"] == "version_not_found"


def test_positions_are_kept_from_those_who_may_not_know_them(server: Running, a_file: Maker) -> None:
    name = a_file(RA=83.5, DEC=22.5, OBJECT="Hidden", AZIMUTH=10.0, ELEVATIO=50.0, RELEASE=RELEASE)
    server.edit(name, {"generic": {"PROP_MD": True}})
    told = body(server, name)
    assert told["visible"] is False
    telling = ("ra_deg", "dec_deg", "airmass", "object", "azimuth_deg", "elevation_deg", "rotator_deg")
    assert [told["frame"].get(key) for key in telling] == [None] * len(telling)
    for path in ("headers", "headers/0", "headers?version=1", "headers?format=text", "diff"):
        reply = get(server, f"{name}/{path}")
        assert (reply.status_code, reply.json()["code"]) == (403, "file_embargoed")
    assert get(server, f"{name}/content").status_code == 403
    frame = body(server, name, scope=Scope.READ)["frame"]
    assert (frame["ra_deg"], frame["object"]) == (83.5, "Hidden")
    assert frame["azimuth_deg"] is not None
    assert "Hidden" in get(server, f"{name}/headers", scope=Scope.READ).text
    # Pixels that are not public hide no metadata.
    public = a_file(RA=83.5, DEC=22.5, OBJECT="Shown", RELEASE=RELEASE)
    assert body(server, public)["frame"]["object"] == "Shown"
    assert get(server, f"{public}/headers").status_code == 200


def test_content_is_the_file_route(server: Running, shared_file: str) -> None:
    with server.client(scope=Scope.READ) as client:
        native, old = (
            client.get(path) for path in (f"/v1/files/{shared_file}/content", f"/file/{shared_file}")
        )
        assert native.content == old.content
        assert native.headers["ETag"] == old.headers["ETag"]
        part = client.get(f"/v1/files/{shared_file}/content", headers={"Range": "bytes=0-79"})
        assert (part.status_code, len(part.content)) == (206, 80)
        head = client.head(f"/v1/files/{shared_file}/content")
        assert head.headers["Content-Length"] == str(len(old.content))
        again = client.get(
            f"/v1/files/{shared_file}/content", headers={"If-None-Match": native.headers["ETag"]}
        )
        assert again.status_code == 304


def test_a_preview_whose_object_is_lost_is_made_again_for_whoever_asks(
    server: Running, a_file: Maker
) -> None:
    name = a_file(RELEASE="2020-01-01", kb=1500)
    whole = get(server, f"{name}/preview")
    assert (whole.status_code, whole.content[:3]) == (200, b"\xff\xd8\xff")
    digest = whole.headers["ETag"].strip('"')
    (server.settings.data / "private" / "objects" / digest[:2] / f"{digest}.jpg").unlink()
    lost = get(server, f"{name}/preview")
    assert (lost.status_code, lost.json()["code"]) == (404, "no_preview")
    assert "being made again" in lost.text
    deadline = time.monotonic() + PATIENCE_S
    while (again := get(server, f"{name}/preview")).status_code != 200:
        in_time(deadline, "the preview is not made again")
        time.sleep(0.1)
    assert again.content == whole.content
