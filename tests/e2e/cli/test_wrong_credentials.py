"""Who cannot get at the database is told why in a sentence, whichever command it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from armillary.base.database import Database, Role
from armillary.base.database_errors import DatabaseUnreachable
from tests.support.command import Commands
from tests.support.debian import DebianServer, Installed, debian, installed, needs_debian
from tests.support.postgres import admin

__all__ = ["debian"]
COMMANDS = {
    "worker": ("worker", "--until-empty"),
    "serve": ("serve", "--port", "0"),
    "upgrade": ("db", "upgrade"),
}


@pytest.fixture(scope="module")
def users(debian: DebianServer) -> Iterator[Installed]:
    """Install the program on Debian's server."""
    holder = installed(debian)
    with asyncio.Runner() as runner:
        yield runner.run(holder.__aenter__())
        runner.run(holder.__aexit__(None, None, None))


def told(data: Path, words: tuple[str, ...], dsn: str) -> list[str]:
    """Return the lines that a command ends with."""
    said = Commands(data, {"ARMILLARY_DATABASE__URL": dsn}).run(*words, code=1)
    assert said.out == ""
    return said.err.splitlines()


@needs_debian
@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_credentials_are_told_in_one_line(tmp_path: Path, users: Installed, name: str) -> None:
    wrong = users.worker.replace("of-armillary_worker", "secret-and-wrong")
    (line,) = told(tmp_path, COMMANDS[name], wrong)
    assert line.startswith("error: postgresql://armillary_worker@127.0.0.1:")
    assert 'password authentication failed for user "armillary_worker"' in line
    assert "secret" not in line


@needs_debian
def test_users_and_databases_that_are_missing_are_told_in_one_line(
    tmp_path: Path, users: Installed, debian: DebianServer
) -> None:
    words = COMMANDS["serve"]
    (line,) = told(tmp_path, words, debian.dsn.url("nobody_of_that_name"))
    assert 'role "nobody_of_that_name" does not exist' in line
    (line,) = told(tmp_path, words, f"{users.web.rpartition('/')[0]}/nothing")
    assert 'database "nothing" does not exist' in line
    (line,) = told(tmp_path, words, "http://127.0.0.1/")
    assert line.startswith("error: http://127.0.0.1/: ")


@needs_debian
def test_a_user_without_the_rights_of_its_role_is_told_so(
    tmp_path: Path, users: Installed, debian: DebianServer
) -> None:
    asyncio.run(admin(debian, "CREATE ROLE archive_web LOGIN PASSWORD 'mine'", user="postgres"))
    try:
        stranger = users.web.replace("armillary_web:of-armillary_web", "archive_web:mine")
        warning, line = told(tmp_path, COMMANDS["serve"], stranger)
        assert "role not assumed" in warning
        assert "lacks a right: permission denied for table alembic_version" in line
    finally:
        asyncio.run(admin(debian, "DROP ROLE archive_web", user="postgres"))


@needs_debian
def test_an_owner_who_may_not_make_roles_is_told_which_one_is_missing(
    tmp_path: Path, users: Installed, debian: DebianServer
) -> None:
    statements = [
        "CREATE ROLE archive_owner LOGIN PASSWORD 'mine'",
        "CREATE DATABASE without_roles OWNER archive_owner",
        "ALTER ROLE armillary_web RENAME TO armillary_web_elsewhere",
    ]
    undo = [
        "ALTER ROLE armillary_web_elsewhere RENAME TO armillary_web",
        "DROP DATABASE without_roles",
        "DROP ROLE archive_owner",
    ]
    for statement in statements:
        asyncio.run(admin(debian, statement, user="postgres"))
    try:
        dsn = debian.tcp("archive_owner", "mine", database="without_roles")
        (line,) = told(tmp_path, COMMANDS["upgrade"], dsn)
        assert "The role armillary_web is missing, and archive_owner may not make it." in line
        assert "CREATE ROLE armillary_web LOGIN" in line
    finally:
        for statement in undo:
            asyncio.run(admin(debian, statement, user="postgres"))


async def test_a_server_that_is_not_there_is_told_after_some_patience() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DatabaseUnreachable) as raised:
        await Database.connect(f"postgresql://me:secret@127.0.0.1:{port}/archive", Role.WEB, patience_s=0.2)
    assert raised.value.message.startswith(f"postgresql://me@127.0.0.1:{port}/archive: ")
    with pytest.raises(DatabaseUnreachable, match=r"postgresql:///archive in /nowhere: .*No such file"):
        await Database.connect(
            "postgresql:///archive?host=/nowhere&password=secret", Role.WEB, patience_s=0.2
        )
