"""The files of the server: creation of the cluster, its configuration, who may connect.

The server's account may be unable to walk to these files (they can lie below a directory of root), so
every program gets them as open descriptors, `/proc/self/fd/N`: following such a link checks no parent.
Standard library only: the supervisor process imports this.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from armillary.base.postgres.account import Account

CLUSTER = "cluster"
DATABASE = "armillary"
OWNER = "armillary_owner"
WEB = "armillary_web"
ROLES = (OWNER, "armillary_worker", WEB)
SUPERUSER = "postgres"
SOCKET_LOCK = ".s.PGSQL.5432.lock"
BOOTSTRAP = f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE;\nCREATE DATABASE {DATABASE} OWNER {OWNER};\n"
CONFIGURATION = """\
# Written at every start of the server. Put your own settings into local.conf beside this file.
listen_addresses = ''
unix_socket_permissions = 0777
max_connections = 200
cluster_name = 'armillary'
shared_buffers = 128MB
fsync = on
full_page_writes = on
synchronous_commit = on
jit = off
random_page_cost = 1.1
timezone = 'UTC'
log_timezone = 'UTC'
autovacuum_naptime = 15s
log_checkpoints = off
log_line_prefix = '%m [%p] %q%u@%d '
{toast}include_if_exists = 'local.conf'
"""


@dataclass(frozen=True)
class Directories:
    """Open descriptors of the data and socket directories, and how the server's programs name them."""

    data: int
    sockets: int

    @property
    def fds(self) -> tuple[int, int]:
        """The descriptors a program must inherit."""
        return self.data, self.sockets

    @property
    def data_path(self) -> str:
        """The data directory as a program that inherited the descriptors names it."""
        return f"/proc/self/fd/{self.data}"

    @property
    def sockets_path(self) -> str:
        """The socket directory, likewise."""
        return f"/proc/self/fd/{self.sockets}"


def prepare(
    top: Path, home: Path, account: Account, *, lz4: bool, web_account: str | None = None
) -> Directories:
    """Create the cluster if there is none, write its configuration, return its open directories."""
    if not (top / CLUSTER).exists():
        _create(top, home, account)
    sockets = _own_directory(top / "run", account)
    if web_account:
        # Another account has to reach the socket; whom it may be there, the table of identities says.
        top.chmod(top.stat().st_mode | 0o011)
    sockets.chmod(0o711 if web_account else 0o700)
    directories = Directories(_open(top / CLUSTER), _open(sockets))
    toast = "default_toast_compression = lz4\n" if lz4 else ""
    _write(directories.data, "postgresql.conf", CONFIGURATION.format(toast=toast), account)
    _write(directories.data, "pg_hba.conf", "local all all peer map=armillary\n", account)
    _write(directories.data, "pg_ident.conf", _identities(account, web_account), account)
    return directories


def forget_dead_server(directories: Directories) -> None:
    """Remove the pid files of a server that is known to be dead.

    PostgreSQL itself must guess from the process id, which another process may have by now.
    """
    for name, directory in (("postmaster.pid", directories.data), (SOCKET_LOCK, directories.sockets)):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)


def is_ready(directories: Directories) -> bool:
    """Tell whether the postmaster has written that it accepts connections (line 8 of its pid file)."""
    try:
        fd = os.open("postmaster.pid", os.O_RDONLY, dir_fd=directories.data)
    except FileNotFoundError:
        return False
    with os.fdopen(fd, "rb") as file:
        lines = file.read().split(b"\n")
    return len(lines) > 7 and lines[7].startswith(b"ready")


def _create(top: Path, home: Path, account: Account) -> None:
    """Build a cluster under another name, then rename it: a crash leaves no half cluster."""
    part = top / "cluster.part"
    shutil.rmtree(part, ignore_errors=True)
    data = _open(_own_directory(part, account))
    path = f"/proc/self/fd/{data}"
    flags = [
        "--auth=peer",
        "-E",
        "UTF8",
        "--locale=C",
        "--data-checksums",
        "-U",
        SUPERUSER,
        "--no-instructions",
    ]
    try:
        _run([home / "bin/initdb", "-D", path, *flags], account, data)
        _run([home / "bin/postgres", "--single", "-D", path, "postgres"], account, data, text=BOOTSTRAP)
    finally:
        os.close(data)
    part.rename(top / CLUSTER)


def _run(command: list[Path | str], account: Account, data: int, *, text: str = "") -> None:
    done = subprocess.run(
        command,
        input=text,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(data,),
        cwd="/",
        check=False,
        **account.identity(),
    )
    if done.returncode or "ERROR:" in done.stdout or "FATAL:" in done.stdout:
        raise RuntimeError(f"{Path(command[0]).name} failed ({done.returncode}): {done.stdout.strip()}")


def _own_directory(path: Path, account: Account) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return path


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)


def _identities(account: Account, web_account: str | None) -> str:
    users = {account.name, pwd.getpwuid(0).pw_name}
    lines = [f'armillary "{u}" {r}\n' for u in sorted(users) for r in (*ROLES, SUPERUSER)]
    if web_account and web_account not in users:
        lines.append(f'armillary "{web_account}" {WEB}\n')
    return "".join(lines)


def _write(directory: int, name: str, text: str, account: Account) -> None:
    """Replace a file in a directory that another account may write to, following no link of its making."""
    part = f"{name}.part"
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=directory)
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    with os.fdopen(fd, "w") as file:
        file.write(text)
        if os.geteuid() == 0:
            os.fchown(file.fileno(), account.uid, account.gid)
    os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
