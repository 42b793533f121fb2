"""`python -m benchmarks.callbacks FILE ...` is `armillary ...` with an event loop whose callbacks are timed.

What counts is the CPU time of the thread: a callback that waits for the interpreter or for a core keeps nobody
else from working. Those that are worth it are written to FILE at the end, one line each: when it ended (seconds of
the monotonic clock, which all processes share), how long it took, and what it was.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

WORTH_S = 0.001


class Callback(NamedTuple):
    """A callback that took some time."""

    ended: float
    seconds: float
    what: str


def watch(found: list[Callback]) -> None:
    """Collect the callbacks of all event loops of this process that take long."""
    run: Any = asyncio.Handle._run  # noqa: SLF001
    clock, now = time.thread_time, time.monotonic

    def timed(handle: asyncio.Handle) -> None:
        start = clock()
        run(handle)
        if (seconds := clock() - start) > WORTH_S:
            found.append(Callback(now(), seconds, _name_of(handle)))

    setattr(asyncio.Handle, "_run", timed)  # noqa: B010


def _name_of(handle: Any) -> str:
    callback = handle._callback  # noqa: SLF001
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return str(getattr(callback, "__qualname__", callback))
    inner: Any = task.get_coro()
    names = [inner.__qualname__]
    while (inner := getattr(inner, "cr_await", None)) is not None and hasattr(inner, "__qualname__"):
        names.append(inner.__qualname__)
    return " > ".join(names)


def read(path: Path) -> list[Callback]:
    """Return what was written."""
    return [Callback(*json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def main() -> None:
    """Run a command of Armillary."""
    from armillary.cli import main as command

    path, found = Path(sys.argv.pop(1)), list[Callback]()
    watch(found)
    try:
        with suppress(SystemExit):
            command()
    finally:
        path.write_text("".join(f"{json.dumps(one)}\n" for one in found), "utf-8")


if __name__ == "__main__":
    main()
