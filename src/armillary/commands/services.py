"""The scripts of the old queue, by their old names and with their old flags: workers of some kinds of orders."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

OF_INGEST = ("ingest", "ingest_cube", "digest", "preview", "image", "video")
"""Kinds of orders of `service_ingest_queue`; all others, and exports, are for `service_fileops_queue`."""
SLOTS = 4


def fileops() -> None:
    """Carry out what was asked of files: header updates, uploads, reverts, change sets, exports, `echo`."""
    sys.exit(_serve("service_fileops_queue", fileops.__doc__ or "", "fileops", sys.argv[1:]))


def ingest() -> None:
    """Take files in, and make their digests and previews."""
    sys.exit(_serve("service_ingest_queue", ingest.__doc__ or "", "ingest", sys.argv[1:]))


SCRIPTS = {"service_fileops_queue": fileops, "service_ingest_queue": ingest}


def parser_of(script: str, text: str, name: str) -> argparse.ArgumentParser:
    """Return what reads the flags of a script."""
    parser = argparse.ArgumentParser(script, description=text, allow_abbrev=False)
    data = os.environ.get("ARMILLARY_DATA", "armillary-data")
    parser.add_argument("--data", type=Path, default=Path(data), help="Directory that holds all state.")
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--oneshot", action="store_true", help="Run one order, if one is due, and exit.")
    how_long.add_argument("--empty", action="store_true", help="Exit when no order is due any more.")
    parser.add_argument(
        "--lockfile",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="PATH",
        help="Exit if another process holds this file; without PATH, that of the name in the data directory.",
    )
    parser.add_argument("--name", default=name, help="Shown as owner of its orders.")
    parser.add_argument("--debug", action="store_true", help="Log everything.")
    parser.add_argument(
        "--daemon",
        "--demon",
        action="store_true",
        help="Accepted and without effect: it never writes anything but its log, on standard error.",
    )
    return parser


def _serve(script: str, text: str, name: str, words: Sequence[str]) -> int:
    """Run a script and return its exit code."""
    given = parser_of(script, text, name).parse_args(words)
    # Only here: the text of --help needs none of it.
    import typer

    from armillary.commands.terminal import guarded

    try:
        guarded(lambda: _work(given, of_ingest=name == "ingest"))
    except typer.Exit as end:
        return end.exit_code
    return 0


def _work(given: argparse.Namespace, *, of_ingest: bool) -> None:
    from armillary.base import log
    from armillary.commands.lockfile import lock_file
    from armillary.commands.terminal import settings_for
    from armillary.commands.work import KINDS
    from armillary.commands.working import Until, work

    settings = settings_for(given.data)
    log.configure(level="DEBUG" if given.debug else os.environ.get("ARMILLARY_LOG", "WARNING"))
    until = Until.ONE if given.oneshot else Until.EMPTY if given.empty else Until.STOPPED
    kinds = [kind for kind in KINDS if (kind.name in OF_INGEST) == of_ingest]
    with ExitStack() as stack:
        if given.lockfile is not None:
            stack.enter_context(lock_file(_lock_path(given, settings.data)))
        exporting = not of_ingest
        asyncio.run(
            work(settings, name=given.name, slots=SLOTS, until=until, kinds=kinds, exporting=exporting)
        )


def _lock_path(given: argparse.Namespace, data: Path) -> Path:
    """Return the lock file; of ``--lockfile`` alone one in the data directory."""
    if given.lockfile != Path():
        return Path(given.lockfile)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data / f"{given.name.replace('/', '_')}.lock"
