"""Run the server until it is stopped: `python -m armillary.demo.svo --port 8765 --key-file svo.key`."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from armillary.demo.svo.keywords import a_dataset
from armillary.demo.svo.server import running
from armillary.demo.svo.world import User, World

USER = "armillary"


def main(words: Sequence[str] | None = None) -> None:
    """Serve the datasets that the command line names."""
    parser = argparse.ArgumentParser("armillary.demo.svo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="Port of the loopback; 0 is any free one.")
    parser.add_argument(
        "--dataset", action="append", default=[], metavar="NAME", help="A dataset, once or more."
    )
    parser.add_argument(
        "--key-file", type=Path, metavar="PATH", help="Where USER:KEY of somebody who may write is put."
    )
    given = parser.parse_args(words)
    world = World()
    for name in given.dataset or ["CHROMIS", "CRISP"]:
        world.add_dataset(a_dataset(name))
    user = world.add_user(User(USER, secrets.token_hex(20)))
    if given.key_file is not None:
        _put(given.key_file, f"{user.name}:{user.key}\n")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with running(world, port=given.port) as svo:
        print(f"ready {svo.url}", flush=True)
        stop.wait()


def _put(path: Path, text: str) -> None:
    """Write a secret that nobody else may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
