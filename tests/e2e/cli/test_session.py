"""A session of an observer, without a running program and beside one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archive import put, sha256
from tests.support.command import Commands
from tests.support.headers import a_file
from tests.support.premade import prepare

LONG = "a-file-with-a-rather-long-name-of-an-observatory-in-the-mountains.fits"
CARDS = [
    ("OBJECT", "M 31", "what"),
    ("EXPTIME", 12.5, "[s] how long"),
    ("OBSERVER", "nobody", "[who] was it"),
]


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Run the program for all tests here, and give commands beside it."""
    commands = Commands(prepare(tmp_path_factory.mktemp("session") / "data"))
    with commands.up():
        yield commands


def test_a_session_beside_a_running_program(commands: Commands, tmp_path: Path) -> None:
    whole_session(commands, tmp_path)


def test_a_session_without_a_running_program(tmp_path: Path) -> None:
    whole_session(Commands(prepare(tmp_path / "data")), tmp_path)


def whole_session(commands: Commands, tmp_path: Path) -> None:
    """Take a file in, find it, edit it, look back, and take the edit back."""
    path = put(tmp_path / "night" / LONG, a_file(cards=CARDS))
    digest = sha256(path)
    bad = put(tmp_path / "night" / "bad.fits", b"no FITS")

    report = commands.run("ingest", path.parent, "--json", code=1).json()
    assert set(report) == {"ingested", "skipped", "failed", "contested"}
    assert (report["ingested"], report["skipped"]) == (1, 0)
    assert [set(one) for one in report["failed"]] == [{"path", "error"}]
    assert report["failed"][0]["path"] == str(bad)
    bad.unlink()
    assert commands.run("ingest", path.parent).out == "0 ingested, 1 skipped, 0 failed\n"

    listed = commands.run("search", "EXPTIME>10", "--name", "a-file*").out
    assert LONG in listed
    assert "1 frame\n" in listed
    assert LONG in commands.run("search", "--select", f"{LONG}/present", "--name", "a-file*").out
    assert "0 frames" in commands.run("search", "--select", f"{LONG}/notpresent").out
    page = commands.run("search", "--name", LONG, "--json").json()
    assert set(page) == {"frames", "cursor"}
    assert page["frames"][0]["name"] == LONG

    edited = commands.run(
        "edit", LONG, "OBSERVER=A. Newcomer", "GAIN=1.5", "--why", "she was it", "--json"
    ).json()
    assert edited["changed"] is True
    assert [(c["keyword"], c["old"], c["new"], c["created"]) for c in edited["changes"]] == [
        ("OBSERVER", "nobody", "A. Newcomer", False),
        ("GAIN", None, 1.5, True),
    ]
    assert "nothing to change" in commands.run("edit", LONG, "GAIN=1.5").out

    past = commands.run("history", LONG).out
    assert re.search(r"edit \d+ by \w+: she was it", past)
    assert 'OBSERVER: "nobody" -> "A. Newcomer"' in past
    assert "GAIN: (new) -> 1.5" in past
    differences = commands.run("diff", LONG).out
    assert "- 0 OBSERVER= 'nobody  '           / [who] was it" in differences
    assert "+ 0 OBSERVER= 'A. Newcomer'        / [who] was it" in differences

    assert "GAIN: 1.5 -> (removed)" in commands.run("revert", LONG).out
    assert sha256(path) == digest
    shown = commands.run("show", LONG).out
    assert str(path) in shown
    assert "KiB" in shown
    known = commands.run("show", LONG, "--json").json()
    assert (known["version"], known["frame"]["object"]) == (3, "M 31")
    versions = commands.run("history", LONG, "--json").json()
    assert [one["origin"] for one in versions] == ["ingest", "edit", "revert"]
    assert versions[2]["crc64nvme"] == versions[0]["crc64nvme"]
    assert commands.run("verify", "--json").json()["failed"] == []


def test_refusals_name_the_file_and_end_with_1(commands: Commands, tmp_path: Path) -> None:
    put(tmp_path / "in" / "b.fits")
    commands.run("ingest", tmp_path / "in")
    for words, message in (
        (("edit", "nope.fits", "A=1"), "nope.fits: No present file named"),
        (("edit", "b.fits", "NAXIS=1"), "b.fits: Protected keyword: NAXIS"),
        (("edit", "b.fits", "TYPO=1", "--reject-new"), "Some of the keywords don't exist in the file: TYPO"),
        (("show", "nope.fits"), "No file named 'nope.fits' is in the archive."),
        (("search", "--qa", "god"), "write one of Undefined, Pass"),
        (("search", "--select", "GMOS-N/Nonsense"), "Unknown selectors: 'Nonsense'"),
    ):
        said = commands.run(*words, code=1)
        assert message in said.err
        assert said.out == ""


def test_leading_zeros_are_kept_and_bytes_that_are_no_text_refused(
    commands: Commands, tmp_path: Path
) -> None:
    commands.run("ingest", put(tmp_path / "in" / "zeros.fits"))
    (change,) = commands.run("edit", "zeros.fits", "PROGID=007", "--json").json()["changes"]
    assert change["new"] == "007"
    odd = os.fsdecode(b"caf\xe9")
    for words in (
        ("edit", "zeros.fits", "A=1", "--why", odd),
        ("edit", "zeros.fits", f"A={odd}"),
        ("show", odd),
    ):
        assert "is not UTF-8 text" in commands.run(*words, code=2).err
    assert len(commands.run("history", "zeros.fits", "--json").json()) == 2


def test_a_token_is_printed_alone_and_works_until_revoked(commands: Commands) -> None:
    token = commands.run("token", "create", "fixHead", "--scope", "edit,upload").out
    assert re.fullmatch(r"\S{20,}\n", token)
    told = commands.run("token", "list", "--json")
    assert "fixHead" in [one["name"] for one in told.json()]
    assert token.strip() not in told.out
    commands.run("token", "revoke", "fixHead")
    tokens = {one["name"]: one for one in commands.run("token", "list", "--json").json()}
    assert tokens["fixHead"]["revoked"]


def test_a_token_is_for_the_sites_that_it_names(commands: Commands) -> None:
    commands.run("token", "create", "saf", "--scope", "upload,config,pipe.produce", "--site", "saf,mrc")
    tokens = {one["name"]: one for one in commands.run("token", "list", "--json").json()}
    token = tokens["saf"]
    actions = ("config", "pipe.produce", "upload")
    assert token["scopes"] == [f"{action}:{site}" for action in actions for site in ("mrc", "saf")]
    for words, said in (
        (("--scope", "edit:ogg"), "The scope 'edit' cannot be limited to 'ogg'"),
        (("--scope", "read,edit", "--site", "saf"), "The scope 'edit' cannot be limited to 'saf'"),
        (("--scope", "config", "--site", ""), "Name at least one site"),
        (("--scope", "confog"), "Did you mean 'config'?"),
    ):
        assert said in " ".join(commands.run("token", "create", "nobody", *words, code=1).err.split())
    assert "nobody" not in commands.run("token", "list").out


def test_a_root_is_opened_and_closed(commands: Commands, tmp_path: Path) -> None:
    commands.run("ingest", put(tmp_path / "open" / "o.fits", a_file(cards=[("OBJECT", "M 5", "")])).parent)
    roots = commands.run("root", "list", "--json").json()["roots"]
    (root,) = [one for one in roots if one["place"] == str(tmp_path / "open")]
    assert root["visibility"] == "metadata"
    for level, count in (("open", 1), ("open", 0), ("metadata", 1)):
        said = commands.run("root", "set", root["name"], "--visibility", level).out
        assert f"is {level}; that is news of {count} files" in " ".join(said.split())
        roots = commands.run("root", "list", "--json").json()["roots"]
        assert [one["visibility"] for one in roots if one["name"] == root["name"]] == [level]
    assert "'shut'" in commands.run("root", "set", root["name"], "--visibility", "shut", code=2).err
    assert (
        "armillary root list" in commands.run("root", "set", "nonsense", "--visibility", "open", code=1).err
    )


def test_verify_names_a_damaged_file(commands: Commands, tmp_path: Path) -> None:
    path = put(tmp_path / "in" / "c.fits")
    commands.run("ingest", path)
    data = bytearray(path.read_bytes())
    data[2900] ^= 1
    path.write_bytes(data)
    said = commands.run("verify", "c.fits", "--json", code=1).json()
    assert set(said) == {"verified", "bytes", "failed"}
    assert [(one["file"], one["path"]) for one in said["failed"]] == [("c.fits", str(path))]
    assert "HDU 0" in said["failed"][0]["problem"]
    put(path)
    commands.run("verify", "c.fits")


def test_odd_names_and_values_are_shown_without_control_characters(
    commands: Commands, tmp_path: Path
) -> None:
    odd = a_file(cards=[("OBJECT", "M 31 [red]x[/]", "")]).replace(b"M 31 [red]", b"M\x1b31 [red]")
    put(tmp_path / "in" / "[bold]ünï.fits", odd)
    put(tmp_path / "in" / os.fsdecode(b"\xff.fits"))
    put(tmp_path / "in" / "two\nlines.fits")
    said = commands.run("ingest", tmp_path / "in", code=1)
    assert "1 ingested, 0 skipped, 2 failed" in said.out
    assert "not UTF-8" in said.err
    assert len(commands.run("ingest", tmp_path / "in", "--json", code=1).json()["failed"]) == 2
    shown = commands.run("search", "--name", "*ünï.fits").out
    assert "[bold]ünï.fits" in shown
    assert "31 [red]x[/]" in shown
    assert "\x1b" not in shown + commands.run("show", "[bold]ünï.fits", "--header").out
