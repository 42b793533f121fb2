"""Which system account runs the server: our own, or an unprivileged one when we are root.

Standard library only: the supervisor process imports this.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USERADD = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin")
LAST_RESORT = "nobody"


@dataclass(frozen=True)
class Account:
    """An entry of the system's user table."""

    name: str
    uid: int
    gid: int

    def identity(self) -> dict[str, Any]:
        """Return what `subprocess.Popen` needs to become this account; nothing if we are it already."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


class NoAccount(Exception):
    """PostgreSQL refuses to run for a user id that has no entry in the user table."""


def by_uid(uid: int) -> Account:
    """Return the account of a user id."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise NoAccount(f"user id {uid} has no name; add it to /etc/passwd or set database.url") from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def resolve(name: str, cluster: Path, *, useradd: tuple[str, ...] = USERADD) -> tuple[Account, str]:
    """Choose the account of the server and say in words why, if the choice needs a word.

    An existing cluster keeps its owner. An ordinary user runs the server itself; root takes the account
    ``name``, creating it if need be, and falls back to an account that always exists.
    """
    if cluster.exists() and (uid := cluster.stat().st_uid) != 0:
        if os.geteuid() not in (0, uid):
            raise NoAccount(f"{cluster} belongs to user id {uid}, not to us; run as that user or as root")
        return by_uid(uid), ""
    if os.geteuid() != 0:
        return by_uid(os.geteuid()), ""
    if found := _named(name):
        return found, ""
    done = _run((*useradd, name))
    if done == "" and (made := _named(name)):
        return made, f"created system account {name!r}"
    fallback = _named(LAST_RESORT)
    if fallback is None:
        raise NoAccount(f"cannot create account {name!r} ({done}) and there is no {LAST_RESORT!r}")
    return fallback, f"cannot create account {name!r} ({done}); the server runs as {LAST_RESORT!r}"


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid) if entry.pw_uid else None


def _run(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit status {done.returncode}")
