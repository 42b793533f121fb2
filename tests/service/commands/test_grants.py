"""The commands on grants and releases as operators meet them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Commands, awake
from tests.support.night import gemini_file


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Commands]:
    with awake(tmp_path / "data") as data:
        yield Commands(data)


def test_grants_to_people_from_the_command_to_the_record(command: Commands, tmp_path: Path) -> None:
    place = tmp_path / "N20260101S0001.fits"
    place.write_bytes(
        gemini_file(DATALAB="GN-2026A-Q-1-1-001", GEMPRGID="GN-2026A-Q-1", RELEASE="2900-01-02")
    )
    command.run("ingest", place)
    command.run(
        "token", "create", "ann", "--scope", "ingest", "--email", "Ann@Sun.Example", "--group", "swedish"
    )
    (token,) = command.run("token", "list", "--json").json()
    assert (token["emails"], token["groups"]) == (["ann@sun.example"], ["swedish"])
    said = command.run("token", "grant", "--email", "ANN@sun.example", "file", place.name)
    assert said.out.strip() == f"ann@sun.example may read file {place.name}"
    command.run("token", "grant", "--group", "swedish", "program", "GN-2026A-Q-1", "--level", "metadata")
    command.run("token", "grant", "ann", "instrument", "GMOS-N")
    found = command.run("grants", "list", "--json").json()
    assert [(one["holder"], one["principal"], one["kind"], one["level"]) for one in found] == [
        ("email", "ann@sun.example", "file", "open"),
        ("group", "swedish", "program", "metadata"),
        ("token", "ann", "instrument", "open"),
    ]
    assert len(command.run("grants", "list", "--subject", place.name, "--json").json()) == 1
    command.run("token", "ungrant", "--email", "ann@SUN.example", "file", place.name)
    command.run("token", "ungrant", "--email", "ann@SUN.example", "file", place.name, code=1)
    audit = command.run("grants", "audit", "--kind", "file", "--json").json()
    assert [(one["action"], one["principal"]) for one in audit["changes"]] == [
        ("taken", "ann@sun.example"),
        ("given", "ann@sun.example"),
    ]
    assert "ann@sun.example" in command.run("grants", "audit").out
    days = command.run("releases", "--json").json()
    assert [(one["day"], one["program"], one["frames"]) for one in days["releases"]] == [
        ("2900-01-02", "GN-2026A-Q-1", 1)
    ]
    assert command.run("releases", "--until", "2899-01-01", "--json").json()["releases"] == []
    assert "SUMMARY:1 frame becomes public" in command.run("releases", "--ics").out


REFUSED = [
    (("token", "grant", "--email", "ann", "file", "a.fits"), "'ann' is no e-mail address"),
    (("token", "grant", "--email", "a@b.c", "ann", "file", "a.fits"), "Write KIND SUBJECT."),
    (("token", "grant", "file", "a.fits"), "Write NAME KIND SUBJECT"),
    (("token", "grant", "--email", "a@b.c", "--group", "g", "file", "a.fits"), "Name one of these"),
    (("token", "grant", "--group", "g", "planet", "a.fits"), "'planet' cannot be granted"),
    (("token", "create", "x", "--scope", "read", "--email", "x@"), "'x@' is no e-mail address"),
    (("token", "create", "x", "--scope", "ingest", "--site", "saf"), "cannot be limited"),
    (("grants", "list", "--email", "x"), "is no e-mail address"),
]


def test_what_cannot_be_granted_is_refused(command: Commands) -> None:
    command.run("token", "create", "ann", "--scope", "ingest")
    for words, said in REFUSED:
        assert said in command.run(*words, code=1).err, words
    assert command.run("grants", "list", "--json").json() == []
