"""``docs/install.md`` as it stands: its commands are run in order, as root, on a machine that nothing is left of.

What its sandbox has instead of the real thing: packages come from what is installed here, and services are started
by the directives of their units, since systemd is not the first process.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.debian import needs_debian
from tests.support.headers import a_file
from tests.support.patience import in_time
from tests.support.sandbox import PACKAGES, PATIENCE_S, ROOT, SOURCE, Sandbox, refusal, sandbox
from tests.support.walk import Section, sections

PAGE = ROOT / "docs" / "install.md"
SECTIONS = {section.title: section for section in sections(PAGE)}
DEBIAN, EMBEDDED = "The database: PostgreSQL of Debian", "The database: the embedded one"
UNITS = ("armillary-worker@1.service", "armillary-worker@2.service", "armillary-web.service")
OLDER = "0020"
"""The schema of an earlier release, with which an upgrade begins."""
CONTENT = a_file(cards=[("OBJECT", "M 1", "target")])
SERVICES = "/run/services"
PYTHON, PARTS = "/opt/armillary/bin/python", SOURCE / "tests" / "support" / "machine"
PIP = {"PYTHONPATH": str(PACKAGES), "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
needs_sandbox = pytest.mark.skipif(bool(refusal()), reason=refusal() or "never")
needs_systemd = pytest.mark.needs("systemd-analyze", "systemd")


@dataclass
class Machine:
    """A sandbox in which the page was followed, with one of its two databases."""

    box: Sandbox
    database: str
    printed: dict[str, str] = field(default_factory=dict)

    def follow(self, section: Section) -> None:
        """Run all commands of a section."""
        self.printed[section.title] = ""
        for block in section.blocks:
            done = self.box.run(block, environment=PIP if "/pip " in block else {})
            self.printed[section.title] += done.stdout
            if "/pip " in block:
                # Packages that the network would have brought.
                site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
                self.box.run(f"echo {PACKAGES} > /opt/armillary/{site}/packages.pth")

    def armillary(self, *words: str, user: str = "armillary", code: int = 0) -> str:
        """Run a command of the program and return what it prints."""
        command = " ".join(["/opt/armillary/bin/armillary", *words, "--data", "/srv/armillary"])
        done = self.box.run(command, user=user, check=False)
        assert done.returncode == code, done
        return done.stdout + done.stderr

    def owner(self, command: str) -> tuple[int, str]:
        """Run a command as the owner of the schema; return its exit code and what it prints."""
        user, variables = "armillary", {}
        if self.database == DEBIAN:
            user, variables = "root", {"ARMILLARY_CONFIG": "/etc/armillary/owner.toml"}
        done = self.box.run(command, user=user, environment=variables, check=False)
        return done.returncode, done.stdout + done.stderr

    def token(self, name: str) -> str:
        """Make a token that may do what clients do."""
        return self.armillary("token", "create", name, "--scope", "read,edit,upload").strip()

    def clients(self, *names: str) -> dict[str, Any]:
        """Upload, edit and download a file under some names."""
        script = f"{PYTHON} {PARTS}/client.py {self.token(f'client-of-{names[0]}')} {' '.join(names)}"
        text = base64.b64encode(CONTENT).decode()
        found: dict[str, Any] = json.loads(self.box.run(script, text=text).stdout)
        return found

    def logs(self) -> str:
        """Return what the services have written."""
        return self.box.run(f"cat {SERVICES}/*.log").stdout

    def lines(self, script: str) -> list[str]:
        """Return what a script prints, by lines."""
        return self.box.run(script).stdout.splitlines()


@pytest.fixture(scope="module", params=[pytest.param(DEBIAN, marks=needs_debian), EMBEDDED])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Follow the page up to its services."""
    with sandbox() as box:
        one = Machine(box, request.param)
        for title, section in SECTIONS.items():
            if title == "Backups":
                break
            if title not in (DEBIAN, EMBEDDED) or title == one.database:
                one.follow(section)
        yield one


def test_every_section_of_the_page_is_followed() -> None:
    assert [title for title, section in SECTIONS.items() if section.blocks] == [
        "The program", "The accounts", "The directories", DEBIAN, EMBEDDED, "The services", "Backups", "Upgrading",
    ]  # fmt: skip


def _check(seen: dict[str, Any], *names: str) -> None:
    assert seen["health"]["workers"] == 2
    for name in names:
        one = seen["files"][name]
        assert one["same"]
        assert [(sent["filename"], sent["size"]) for sent in one["sent"]] == [(name, len(CONTENT))]
        assert one["accepted"] == [{"result": True, "id": name}]
        assert (one["changed"], one["object"].strip()) == ([True], "'M 31    '")
        # Drawn by the one account, and shown by the other.
        assert one["picture"] == "ffd8ff"


def _processes(machine: Machine) -> dict[str, set[str]]:
    """Return under which accounts the commands of the program and PostgreSQL run."""
    found: dict[str, set[str]] = {}
    for line in machine.lines("ps -eo user:32,args"):
        user, _, command = line.strip().partition(" ")
        for word in (" serve ", " worker ", "bin/postgres "):
            if word in f"{command} ":
                found.setdefault(word.strip(), set()).add(user)
    return found


@needs_sandbox
@needs_systemd
def test_the_archive_works_and_each_account_does_its_own(machine: Machine) -> None:
    _check(machine.clients("N1.fits", "N2.fits"), "N1.fits", "N2.fits")
    server = "postgres" if machine.database == DEBIAN else "armillary"
    assert _processes(machine) == {
        "serve": {"armillary-web"},
        "worker": {"armillary"},
        "bin/postgres": {server},
    }
    # Nothing of the uploads is left, and no stranger can read what they became.
    assert machine.lines("ls -A /srv/armillary/staging") == []
    assert machine.lines("stat --format '%n %U %G %a' /srv/armillary/store/N[12].fits") == [
        f"/srv/armillary/store/{name} armillary armillary-web 640" for name in ("N1.fits", "N2.fits")
    ]
    assert machine.lines("runuser -u nobody -- ls /srv/armillary 2>&1 || true") == [
        "ls: cannot open directory '/srv/armillary': Permission denied"
    ]
    # No process has a role that it should not have, or anything else to warn of.
    assert machine.logs() == "" or _warnings(machine.logs()) == []
    assert "2 of 2 files are sound" in machine.armillary("verify", "N1.fits", "N2.fits")
    assert "fixhead" in machine.armillary("token", "list")
    assert machine.printed["The services"].strip().splitlines()[-1].startswith("arm_")


def _warnings(text: str) -> list[str]:
    # Who comes to a file before its turn tries again, which is no fault of the installation: a preview
    # or digest while it is edited, an edit while a digest reads it.
    lines = [line for line in text.splitlines() if '"level": "info"' not in line]
    meets = ("is being edited", "is being read")
    return [
        line for line in lines if not ("order is tried again" in line and any(one in line for one in meets))
    ]


@needs_sandbox
def test_the_web_account_reads_what_it_serves_and_writes_uploads_only(machine: Machine) -> None:
    readable = ["/srv/armillary/store", "/srv/armillary/private/store/journal", "/etc/armillary/web.toml"]
    closed = [
        "/srv/armillary/armillary.toml",
        "/etc/armillary/owner.toml",
        "/srv/armillary/private/store/locks",
    ]
    written = ["/srv/armillary", "/srv/armillary/store", "/srv/armillary/private/store", "/opt/armillary"]
    for path in readable:
        machine.box.run(f"test -r {path}", user="armillary-web")
    for path in closed:
        assert machine.box.run(f"test -r {path}", user="armillary-web", check=False).returncode, path
    for path in written:
        assert machine.box.run(f"touch {path}/x", user="armillary-web", check=False).returncode, path
    machine.box.run("touch /srv/armillary/staging/x && rm /srv/armillary/staging/x", user="armillary-web")
    # Nor does another account get its rights in the database.
    script = (
        "import asyncio, asyncpg\n"
        "async def main():\n"
        "    for role in ('owner', 'worker', 'web'):\n"
        "        try:\n"
        "            one = await asyncpg.connect(host=HOST, user=f'armillary_{role}', database='armillary')\n"
        "            await one.close()\n"
        "            print(role)\n"
        "        except asyncpg.PostgresError:\n"
        "            pass\n"
        "asyncio.run(main())\n"
    )
    host = "/run/postgresql" if machine.database == DEBIAN else "/srv/armillary/postgres/run"
    for user, roles in {"armillary-web": ["web"], "armillary": ["worker"], "nobody": []}.items():
        if machine.database == EMBEDDED and user != "armillary-web":
            continue
        command = f'{PYTHON} -c "{script.replace("HOST", repr(host))}"'
        assert machine.box.run(command, user=user).stdout.split() == roles, user


@needs_sandbox
@needs_systemd
def test_the_units_are_sound(machine: Machine) -> None:
    paths = " ".join(f"/etc/systemd/system/{name}" for name in ("armillary-worker@1.service", UNITS[2]))
    done = machine.box.run(f"systemd-analyze verify --man=no {paths}", check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "armillary" in line]) == (0, [])


@needs_sandbox
def test_an_upload_that_breaks_off_leaves_nothing_behind(machine: Machine) -> None:
    script = f"{PYTHON} {PARTS}/quitter.py {machine.token('quitter')} half.fits /srv/armillary/staging"
    ((owner, name),) = [line.split() for line in machine.lines(script)]
    assert (owner, name.endswith(".part")) == ("armillary-web", True)
    end = time.monotonic() + PATIENCE_S
    while left := machine.lines("ls -A /srv/armillary/staging"):
        in_time(end, left)
    assert machine.lines("find /srv/armillary -name '*half*'") == []
    assert "0 frames" in machine.armillary("search", "--name", "half.fits")
    _check(machine.clients("half.fits"), "half.fits")


@needs_sandbox
def test_a_backup_and_an_upgrade_go_as_the_page_says(machine: Machine) -> None:
    _check(machine.clients("N3.fits"), "N3.fits")
    machine.follow(SECTIONS["Backups"])
    assert machine.lines("stat --format '%U %a' /srv/armillary-backup") == ["armillary 700"]
    machine.box.run(f"systemctl stop {' '.join(UNITS)}")
    assert machine.owner(f"{PYTHON} {PARTS}/older.py /srv/armillary {OLDER}") == (0, "")
    code, said = machine.owner("/opt/armillary/bin/armillary db check --data /srv/armillary")
    assert (code, f"The schema is at {OLDER}" in said) == (1, True), said
    machine.follow(SECTIONS["Upgrading"])
    code, said = machine.owner("/opt/armillary/bin/armillary db check --data /srv/armillary")
    assert (code, "as this version makes it" in said) == (0, True), said
    _check(machine.clients("N4.fits"), "N4.fits")
    assert "N3.fits" in machine.armillary("search", "--name", "'N*'")
    machine.box.run(f"systemctl stop {' '.join(UNITS)}")
    left = {user for users in _processes(machine).values() for user in users}
    assert left == ({"postgres"} if machine.database == DEBIAN else set())
    machine.box.run(f"systemctl start {' '.join(UNITS)}")
    assert machine.clients("N5.fits")["files"]["N5.fits"]["same"]
