"""What parent and child say to each other over a socket: pickled values behind their length."""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("<Q")


def send(channel: socket.socket, value: object, *, fd: int | None = None) -> None:
    """Send a value, and a descriptor with it if there is one."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    socket.send_fds(channel, [_LENGTH.pack(len(body))], [] if fd is None else [fd])
    channel.sendall(body)


def receive(channel: socket.socket) -> tuple[Any, list[int]]:
    """Return a value and the descriptors that came with it.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    head, fds, _, _ = socket.recv_fds(channel, _LENGTH.size, 1)
    head += _exactly(channel, _LENGTH.size - len(head)) if head else b""
    if not head:
        raise EOFError
    return pickle.loads(_exactly(channel, _LENGTH.unpack(head)[0])), fds  # noqa: S301  # ours on both sides


def _exactly(channel: socket.socket, size: int) -> bytearray:
    """Return so many bytes, received where they stay: nothing is copied."""
    body = bytearray(size)
    with memoryview(body) as room:
        at = 0
        while at < size:
            if not (count := channel.recv_into(room[at:])):
                raise EOFError
            at += count
    return body
