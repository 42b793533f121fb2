"""Edits of many files from the command line: seen before, confirmed, followed, taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archive import put, sha256
from tests.support.command import Commands, awake
from tests.support.night import gemini_file

NAMES = [f"N20260101S{number:04d}.fits" for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Make an archive of three files, of which nobody takes care but the commands."""
    folder = tmp_path_factory.mktemp("bulk")
    commands = Commands(folder / "data")
    for number, name in enumerate(NAMES, 1):
        content = gemini_file(DATALAB=f"GN-2026A-Q-1-{number}-001", EXPTIME=float(number), kb=1)
        put(folder / "in" / name, content)
    with awake(commands.data):
        assert commands.run("ingest", folder / "in", "--json").json()["ingested"] == 3
        yield commands


def test_a_change_set_from_its_preview_to_its_end(commands: Commands) -> None:
    paths = [Path(commands.run("show", name, "--json").json()["stored"]) for name in NAMES]
    digests = [sha256(path) for path in paths]
    words = (
        "edit",
        "--where",
        "GMOS-N/20260101",
        "--keyword",
        "EXPTIME>1.5",
        "OBJECT=M 5",
        "--why",
        "wrong one",
    )

    seen = commands.run(*words, "--dry-run").out
    assert 'OBJECT: "M 1" -> "M 5"' in seen
    assert "2 files: 2 would change, 0 say so already, 0 refused" in seen
    assert commands.run(*words, "--dry-run", "--json").json()["would_change"] == 2
    refused = commands.run(*words, code=1)
    assert "nobody can confirm this here; say --yes" in refused.err
    assert commands.run("changeset", "list", "--json").json() == []
    assert [sha256(path) for path in paths] == digests

    done = commands.run(*words, "--yes", "--json").json()
    assert (done["state"], done["files"]["changed"]) == ("completed", 2)
    number = str(done["id"])
    assert [sha256(path) == digest for path, digest in zip(paths, digests, strict=True)] == [
        True,
        False,
        False,
    ]
    assert "wrong one" in commands.run("history", NAMES[1]).out
    assert re.search(rf"^{number} +completed", commands.run("changeset", "list").out, re.MULTILINE)
    shown = commands.run("changeset", "show", number, "--state", "changed").out
    assert f"changed    {NAMES[2]}" in shown
    assert "cannot stop any more" in commands.run("changeset", "stop", number, code=1).err

    commands.run("edit", NAMES[1], "OBJECT=M 6")
    taken = commands.run("changeset", "revert", number, "--yes", code=1)
    assert f"kept {NAMES[1]}" in taken.err
    assert sha256(paths[2]) == digests[2]
    assert commands.run("verify", "--json").json()["failed"] == []


def test_refusals_say_what_to_do(commands: Commands) -> None:
    for words, message in (
        (("edit", "--where", "presnt", "A=1", "--yes"), "did you mean 'present'"),
        (("edit", "--where", "present", "NAXIS=1", "--yes"), "Protected keyword: NAXIS"),
        (("edit", "--where", "present", "A", "--yes"), "write KEY=VALUE"),
        (("edit", NAMES[0]), "name a file and its cards"),
        (("edit", NAMES[0], "A=1", "--dry-run"), "--dry-run goes with --where"),
        (("changeset", "show", "999999"), "There is no change set 999999"),
        (("changeset", "revert", "999999", "--yes"), "There is no change set 999999"),
    ):
        assert message in commands.run(*words, code=1).err
