"""A wire between two servers: it counts what passes, can hold it up, and can lead elsewhere."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

PIECE = 1 << 14


class Wire:
    """A port of the loopback whose connections go to ``target``, a port or none."""

    def __init__(self) -> None:
        self.target: int | None = None
        self.sent = self.received = 0
        self.connections = 0
        self.held = threading.Event()
        """Set once the limit is reached."""
        self._limits: dict[bool, int | None] = {}
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    @property
    def passed(self) -> int:
        """Bytes that passed in both directions."""
        return self.sent + self.received

    def reset(self) -> None:
        """Count from nothing."""
        self.sent = self.received = self.connections = 0

    def lead_to(self, url: str) -> None:
        """Let connections go to a server, from now on."""
        self.target = int(url.rpartition(":")[2])

    def hold_after(self, count: int) -> None:
        """Let so many more bytes pass to the target, then no more until `release`."""
        self._hold(self.sent + count, None)

    def hold_replies_after(self, count: int) -> None:
        """Let so many more bytes pass from the target, then no more until `release`."""
        self._hold(None, self.received + count)

    def _hold(self, sent: int | None, received: int | None) -> None:
        self.held.clear()
        self._released.clear()
        self._limits = {True: sent, False: received}

    def release(self) -> None:
        """Let everything pass."""
        self._limits = {}
        self._released.set()

    def close(self) -> None:
        """End everything."""
        self.release()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, action: object, *args: object) -> None:
        thread = threading.Thread(target=action, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                if self.target is None:
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            self._start(self._carry, near, far)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """Pass on what both sides say, until both have ended: the number of a closed socket may be another's."""
        back = threading.Thread(target=self._pump, args=(far, near, False), daemon=True)
        back.start()
        self._pump(near, far, True)
        back.join()
        with self._lock:
            for one in (near, far):
                self._open.discard(one)
                one.close()

    def _pump(self, source: socket.socket, sink: socket.socket, outward: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                self.sent += len(data) if outward else 0
                self.received += 0 if outward else len(data)
                limit = self._limits.get(outward)
                if limit is not None and (self.sent if outward else self.received) > limit:
                    self.held.set()
                    self._released.wait()
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wire() -> Iterator[Wire]:
    """Open a wire until the end of the block."""
    one = Wire()
    try:
        yield one
    finally:
        one.close()
