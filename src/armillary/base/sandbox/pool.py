"""A few children that live on from one piece of work to the next, and are killed where that is the only way."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from armillary.base.log import get_logger
from armillary.base.sandbox.errors import ChildDied, OutOfMemory, OutOfTime
from armillary.base.sandbox.messages import receive, send

log = get_logger(__name__)
R = TypeVar("R")
T = TypeVar("T")
CHILDREN = 2
"""Children at once of one process: most machines that run several workers have few more cores."""
IDLE_S = 60.0
"""A child that had nothing to do for so long gives its memory back by ending."""
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Threads of libraries that are not used would take address space, and more where there are more cores."""


class Ask(Protocol):
    """Let the child call ``function(descriptor, *args)`` and return what that returns or raises.

    The descriptor is one of the child's own, and left out if there is none. Function, arguments and result are
    pickled: the function is found by its name, and its module is loaded there.
    """

    def __call__(self, function: Callable[..., R], fd: int | None, *args: Any) -> R: ...


class Sandbox:
    """The children of this process; they are started as they are needed."""

    def __init__(
        self, *, children: int = CHILDREN, idle_s: float = IDLE_S, idle: list[Child] | None = None
    ) -> None:
        """Have up to so many children at once; those of the list ``idle`` are there already."""
        self._room = asyncio.Semaphore(children)
        self._idle = [] if idle is None else idle
        self._idle_s = idle_s
        self._retiring: asyncio.TimerHandle | None = None

    async def run(self, work: Callable[[Ask], T], *, memory: int, seconds: float) -> T:
        """Run ``work`` in a thread that may ask a child, which has so many bytes and seconds.

        When it is cancelled, or its time is up, the child is killed wherever it is; the thread ends soon after.

        Raises
        ------
        OutOfMemory, OutOfTime, ChildDied
            If the work did not come to its end.
        """
        async with self._room:
            child = self._idle.pop() if self._idle else Child()
            child.begin()
            try:
                async with asyncio.timeout(seconds) as limit:
                    return await asyncio.to_thread(child.serve, work, memory)
            except TimeoutError:
                if not limit.expired():
                    raise
                raise OutOfTime from None
            finally:
                self._put_back(child)

    def _put_back(self, child: Child) -> None:
        if not child.reusable:
            child.kill()
            return
        self._idle.append(child)
        if self._retiring is not None:
            self._retiring.cancel()
        self._retiring = asyncio.get_running_loop().call_later(self._idle_s, self.close)

    def close(self) -> None:
        """End the children that wait for work; those that work end with the work."""
        if self._retiring is not None:
            self._retiring.cancel()
        while self._idle:
            self._idle.pop().end()


class Child:
    """One child process of a sandbox. All but `serve` is for the thread of the event loop."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        """Start a child, which loads these modules at once."""
        # The kernel ends it with the thread that starts it: here that of the event loop, which lives longest.
        self._channel, theirs = socket.socketpair()
        with theirs:
            number, module = str(theirs.fileno()), "armillary.base.sandbox.child"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, number, str(os.getpid()), *modules],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **ENVIRONMENT},
            )
        self._busy = self._sound = False

    @property
    def reusable(self) -> bool:
        """Whether the work has ended, and in such a way that more can follow."""
        return self._sound and not self._busy

    def begin(self) -> None:
        """Note that work begins, before a thread is found for it."""
        self._busy = self._sound = True

    def serve(self, work: Callable[[Ask], T], memory: int) -> T:
        """Run the work in this thread; whoever kills the child meanwhile ends the wait for its answer."""

        def ask(function: Callable[..., R], fd: int | None, *args: Any) -> R:
            self._sound = False
            try:
                send(self._channel, (function, args, memory), fd=fd)
                (well, value), _ = receive(self._channel)
            except (OSError, EOFError):
                raise self._dead() from None
            # What a failed allocation leaves behind is anybody's guess.
            self._sound = not isinstance(value, OutOfMemory)
            if not well:
                raise value
            result: R = value
            return result

        try:
            return work(ask)
        finally:
            self._busy = False

    def _dead(self) -> ChildDied:
        self._process.kill()
        code = self._process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        log.warning("child died", pid=self._process.pid, code=code)
        return ChildDied(f"The process that did the work {how}.")

    def kill(self) -> None:
        """End the child wherever it is, and do not wait for that here: it may have much memory to give back."""
        self._process.kill()
        asyncio.get_running_loop().run_in_executor(None, self._reap)

    def _reap(self) -> None:
        self._process.wait()
        self._channel.close()

    def end(self) -> None:
        """End a child that waits for work."""
        self._process.kill()
        self._reap()
