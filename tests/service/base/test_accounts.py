"""The server runs under an account that is not root, wherever the program and its data lie."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from armillary.base.postgres.account import by_uid
from armillary.base.postgres.binaries import PACKAGE, usable

ROOT = Path(__file__).parents[3]
# Found, not imported: its own start-up code must not run.
SPEC = importlib.util.find_spec(PACKAGE)
INSTALLED = Path(str(SPEC and SPEC.origin)).parent
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a directory that everybody may enter."""
    top = Path(tempfile.mkdtemp(prefix="armillary-test-"))
    top.chmod(0o755)
    yield top
    shutil.rmtree(top)


def permissions(path: Path) -> list[int]:
    """Return the modes of a path and of everything above it."""
    return [one.stat().st_mode for one in (path, *path.parents)]


def python_of(user: pwd.struct_passwd) -> tuple[str, dict[str, str]]:
    """Return an interpreter of this version that the user can run, and the variables that it needs."""
    variables = {
        **os.environ,
        "HOME": user.pw_dir,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *site.getsitepackages()]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            done = subprocess.run(
                [python, "-c", "import armillary.base.postgres.server, asyncpg"],
                cwd=ROOT,
                env=variables,
                capture_output=True,
                check=False,
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python, variables
    pytest.skip("the interpreter or the program lies where only root can read it")


@needs_root
def test_an_ordinary_user_runs_the_server_itself(open_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    before = permissions(home)
    python, variables = python_of(nobody)
    process = subprocess.Popen(
        [python, "-m", "tests.support.database_user", str(home / "postgres"), "armillary"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        env={**variables, "HOME": str(home)},
    )
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        pytest.fail(process.communicate()[1].decode())
    pid = int((home / "postgres/cluster/postmaster.pid").read_text().split()[0])
    owner = Path(f"/proc/{pid}").stat().st_uid
    process.communicate(b"", timeout=60)
    assert owner == nobody.pw_uid
    assert permissions(home) == before


@needs_root
def test_programs_that_the_account_cannot_reach_are_copied_once(open_folder: Path) -> None:
    hidden = open_folder / "hidden"
    hidden.mkdir(mode=0o700)
    package = hidden / PACKAGE
    shutil.copytree(INSTALLED / "pginstall", package / "pginstall", symlinks=True)
    libraries = INSTALLED.parent / f"{PACKAGE}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, hidden / libraries.name)
    before = permissions(hidden)
    account = by_uid(pwd.getpwnam("nobody").pw_uid)
    shared = open_folder / "shared"
    home = usable(package, account, shared=shared)
    made = (home / "bin/postgres").stat()
    said = subprocess.run(
        [home / "bin/postgres", "--version"], capture_output=True, check=True, cwd="/", **account.identity()
    )
    assert b"PostgreSQL" in said.stdout
    assert home.is_relative_to(shared)
    assert usable(package, account, shared=shared) == home
    assert (home / "bin/postgres").stat().st_ino == made.st_ino
    assert permissions(hidden) == before
    assert [path.name for path in shared.iterdir() if path.name.startswith(".part-")] == []
