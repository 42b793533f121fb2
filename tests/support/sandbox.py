"""A machine of one's own inside this one: namespaces of mounts, processes and network, thrown away at the end.

What is done in it as root (accounts, files below /etc, /opt, /srv, services) leaves nothing behind: these
directories are copies or empty, the network is a loopback of its own, and with the first process all others end.
``python -m tests.support.sandbox`` is that first process.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE, PACKAGES, TOOLS = Path("/usr/src/armillary"), Path("/usr/src/packages"), Path("/usr/src/tools")
EMPTY = ("/opt", "/srv", "/run", "/var/lib/postgresql", "/var/log/postgresql")
UNSHARE = ("unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", "--mount-proc")
LIBRARIES = Path(next(path for path in sys.path if path.endswith("site-packages")))
PATIENCE_S = 300.0
_libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


@dataclass(frozen=True)
class Sandbox:
    """A running one; ``pid`` is its first process, as seen from outside."""

    pid: int

    def run(
        self,
        script: str,
        *,
        user: str = "root",
        environment: Mapping[str, str] = {},
        text: str = "",
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of bash to its end, up to the first command that fails."""
        words = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--ipc", "--"]
        if user != "root":
            words += ["runuser", "-u", user, "--"]
        tools = f"{TOOLS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            [*words, "bash", "-euo", "pipefail", "-c", script],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            cwd="/",
            env={"PATH": tools, "HOME": "/root", "LANG": "C.UTF-8", **environment},
        )
        assert not check or done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done


def refusal() -> str:
    """Return why there can be no sandbox here; empty if there can."""
    if os.geteuid() != 0:
        return "only root can make namespaces"
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    return f"no namespaces here: {done.stderr.strip()}" if done.returncode else ""


@contextlib.contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Run one until the end of the block."""
    command = [*UNSHARE, sys.executable, "-m", "tests.support.sandbox"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        # Should the tests be killed, nobody else would end what runs in it.
        preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Sandbox(int(child))
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def _mount(source: str, target: Path | str, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = [text.encode() for text in (source, str(target), kind)]
    if _libc.mount(*words, flags, data.encode() or None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source}: {os.strerror(number)}", str(target))


def _empty(path: Path | str, mode: int = 0o755) -> None:
    _mount("tmpfs", path, "tmpfs", data=f"mode={mode:o}")


def _shown(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _mount(str(source), target, flags=MS_BIND)


def _let_all_in(path: Path) -> None:
    """Let every account reach a directory that lies below one which only root may enter."""
    closed = [one for one in reversed(path.parents) if not one.stat().st_mode & stat.S_IXOTH]
    if closed:
        kept = Path("/run/kept")
        _shown(path, kept)
        _empty(closed[0])
        _shown(kept, path)


def lay_out() -> None:
    """Mount what the sandbox has of its own."""
    _mount("none", "/", flags=MS_REC | MS_PRIVATE)
    for path in EMPTY:
        if Path(path).is_dir():
            _empty(path)
    shutil.copytree("/etc", "/run/etc", symlinks=True)
    for path in Path("/etc").rglob("*"):
        found = path.lstat()
        os.chown(Path("/run") / path.relative_to("/"), found.st_uid, found.st_gid, follow_symlinks=False)
    # Whoever ran the program here as root has made an account for it.
    for name in ("passwd", "shadow", "group", "gshadow"):
        table = Path("/run/etc", name)
        lines = table.read_text().splitlines(keepends=True)
        table.write_text("".join(line for line in lines if not line.startswith("armillary")))
    _mount("/run/etc", "/etc", flags=MS_BIND)
    shutil.rmtree("/etc/postgresql/15", ignore_errors=True)
    if Path("/var/lib/postgresql").is_dir():
        shutil.chown("/var/lib/postgresql", "postgres", "postgres")
    _empty("/usr/src")
    _shown(ROOT, SOURCE)
    _mount("none", SOURCE, flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
    _shown(LIBRARIES, Path("/usr/src/libraries"))
    PACKAGES.mkdir()
    for path in Path("/usr/src/libraries").iterdir():
        # What the commands bring themselves is not there before.
        if "armillary" not in path.name and path.name.partition("-")[0] != "pip":
            (PACKAGES / path.name).symlink_to(path)
    TOOLS.mkdir()
    python, machine = Path(sys.base_prefix) / "bin" / "python3", SOURCE / "tests" / "support" / "machine"
    commands = {"python3": "", "systemctl": machine / "systemctl.py", "apt-get": machine / "apt_get.py"}
    for name, script in commands.items():
        (TOOLS / name).write_text(f'#!/bin/sh\nexec {python} {script} "$@"\n')
        (TOOLS / name).chmod(0o755)
    _let_all_in(Path(sys.base_prefix))
    _empty("/tmp", 0o1777)


def _loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def main() -> None:
    """Be the first process: lay out, say so, and collect those whose parents are gone, until killed."""
    lay_out()
    _loopback()
    print("ready", flush=True)
    child = os.fork()
    if child == 0:
        os.execv("/usr/bin/sleep", ["sleep", "infinity"])
    while True:
        os.wait()


if __name__ == "__main__":
    main()
