"""``systemctl`` for a few directives of a few units, where systemd is not the first process."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

UNITS, STATE = Path("/etc/systemd/system"), Path("/run/services")
PATIENCE_S = 280.0
KNOWN = {
    "Unit": {"Description", "After"},
    "Service": {
        "Type", "TimeoutStartSec", "User", "Group", "UMask", "Environment", "ExecStart", "Restart", "RestartSec",
        "TimeoutStopSec",
        "KillMode", "LimitNOFILE", "NoNewPrivileges", "ProtectSystem", "ReadWritePaths", "ProtectHome",
        "PrivateTmp", "PrivateDevices", "CapabilityBoundingSet",
    },
    "Install": {"WantedBy"},
}  # fmt: skip
"""Directives that are carried out here, or that change nothing of what is tested."""
Unit = dict[str, list[str]]


def load(name: str) -> Unit:
    """Return the directives of a unit, its instance filled in."""
    stem, _, instance = name.removesuffix(".service").partition("@")
    path = UNITS / (f"{stem}@.service" if instance else f"{stem}.service")
    found: Unit = defaultdict(list)
    section = ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            assert key in KNOWN[section], f"{path}: {key} of [{section}] is not known here"
            found[key].append(value.replace("%i", instance))
    return found


def in_order(names: list[str]) -> list[str]:
    """Return units so that each comes after those that it is to come after."""
    after = {name: " ".join(load(name)["After"]).split() for name in names}
    ordered: list[str] = []
    while rest := [name for name in names if name not in ordered]:
        ordered += [name for name in rest if not set(after[name]) & set(rest)]
    return ordered


def start(name: str) -> None:
    """Start the command of a unit under its account, with a log."""
    unit = load(name)
    (command,), (user,), (group,) = unit["ExecStart"], unit["User"], unit["Group"]
    words = ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--no-new-privs"]
    if unit["CapabilityBoundingSet"] == [""]:
        words.append("--bounding-set=-all")
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    variables = dict(pair.split("=", 1) for line in unit["Environment"] for pair in shlex.split(line))
    read_only = unit["ProtectSystem"] == ["strict"]
    opened = " ".join(unit["ReadWritePaths"]).split()
    STATE.mkdir(exist_ok=True)
    if unit["Type"] == ["notify"]:
        (STATE / f"{name}.notify").unlink(missing_ok=True)
        notified.bind(str(STATE / f"{name}.notify"))
        (STATE / f"{name}.notify").chmod(0o777)
        variables["NOTIFY_SOCKET"] = str(STATE / f"{name}.notify")
    with (STATE / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [*(_with_read_only(opened) if read_only else ()), *words, "--", *shlex.split(command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "USER": user, **variables},
            umask=int(unit["UMask"][0], 8),
            start_new_session=True,
        )
    (STATE / f"{name}.pid").write_text(str(process.pid))
    with notified:
        if "NOTIFY_SOCKET" in variables:
            notified.settimeout(1.0)
            await_ready(process, notified)


def await_ready(process: subprocess.Popen[bytes], notified: socket.socket) -> None:
    """Wait until a process says that it is ready."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            assert notified.recv(100) == b"READY=1"
        except TimeoutError:
            assert process.poll() is None, "it ended before it was ready"
            assert time.monotonic() < end, "it is not ready"
        else:
            return


def _with_read_only(opened: list[str]) -> list[str]:
    """Return the beginning of a command that can write to some directories only."""
    script = "".join(f"mount --bind {path} {path}; " for path in opened) + (
        "findmnt --noheadings --raw --output TARGET | grep -Ev '^/(proc|sys|dev|tmp)(/|$)' | sort -u"
        f" | grep -Fxv {' '.join(f'-e {path}' for path in opened)}"
        ' | while read -r target; do mount -o remount,bind,ro "$target"; done; exec "$@"'
    )
    return ["unshare", "--mount", "--", "bash", "-euo", "pipefail", "-c", script, "read-only"]


def stop(name: str) -> None:
    """End the main process of a unit, and wait until it is gone; one that does not run is stopped already."""
    if not (STATE / f"{name}.pid").exists():
        return
    pid = int((STATE / f"{name}.pid").read_text())
    end = time.monotonic() + float(load(name)["TimeoutStopSec"][0])
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, f"{name} does not stop"
        time.sleep(0.02)
    (STATE / f"{name}.pid").unlink()


def main(words: list[str]) -> int:
    """Carry out one command."""
    names = [word for word in words[1:] if word.endswith(".service")]
    match words:
        case ["daemon-reload"]:
            pass
        case ["reload", "postgresql"]:
            subprocess.run(["pg_ctlcluster", "15", "main", "reload"], check=True)
        case ["enable", "--now", *_] | ["start", *_]:
            for name in in_order(names):
                start(name)
        case ["stop", *_]:
            for name in reversed(in_order(names)):
                stop(name)
        case _:
            raise NotImplementedError(words)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
