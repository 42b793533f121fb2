"""A client that goes away in the middle of an upload: ``quitter.py TOKEN NAME STAGING``.

Prints what had come into the staging area by then.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

SIZE = 8 << 20
PATIENCE_S = 300.0


def main(token: str, name: str, staging: Path) -> None:
    """Send half of a file, wait until that has arrived, and leave."""
    head = (
        f"POST /upload_file/{name} HTTP/1.1\r\nHost: archive\r\nContent-Length: {SIZE}\r\n"
        f"Cookie: gemini_fits_upload_auth={token}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", 8000), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode() + bytes(SIZE // 2))
        end = time.monotonic() + PATIENCE_S
        while not (found := [path for path in staging.iterdir() if path.stat().st_size]):
            assert time.monotonic() < end, "nothing arrives"
            time.sleep(0.02)
        for path in found:
            print(path.owner(), path.name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
