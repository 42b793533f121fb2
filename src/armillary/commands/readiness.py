"""Tell the service manager that a process is ready, so that others are started after it and not too early."""

from __future__ import annotations

import contextlib
import os
import socket


def tell_ready() -> None:
    """Say so to systemd, by the protocol of sd_notify(3), if it started this process and waits to hear it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # An address that begins with @ is in the abstract namespace, which the system marks by a null byte.
    place = f"\0{address[1:]}" if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.sendto(b"READY=1", place)
