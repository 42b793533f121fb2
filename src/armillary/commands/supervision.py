"""The process tree of `armillary up`: a web process, workers, and a parent that keeps them alive."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from armillary.archive.catalog import service as catalog
from armillary.base.database import Role
from armillary.base.log import get_logger
from armillary.context import open_context
from armillary.errors import Unavailable
from armillary.headers import service as headers
from armillary.publish.svo.service import SECRETS
from armillary.settings import Settings

log = get_logger(__name__)
START_S, STOP_S, LOOK_S = 60.0, 30.0, 0.05
RESTART_FIRST_S, RESTART_LAST_S = 0.2, 10.0
PR_SET_PDEATHSIG = 1
Spawn = Callable[[Sequence[str], Sequence[int]], Awaitable[Process]]
_libc = ctypes.CDLL(None, use_errno=True)


async def spawn(command: Sequence[str], fds: Sequence[int]) -> Process:
    """Start a command of this program as a child that dies with us; the web process gets the sockets."""
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "armillary",
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        env=_environment(command[0]),
        pass_fds=fds if command[0] == "serve" else (),
        # Its own session: Ctrl-C at the terminal reaches the parent alone, which stops all in good order.
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def _environment(name: str) -> dict[str, str]:
    """Return the environment of a process: those whom strangers talk to have no key of other servers."""
    hidden = frozenset() if name == "worker" else SECRETS
    return {key: value for key, value in os.environ.items() if key not in hidden}


async def run_all(settings: Settings, host: str, port: int, *, demo: bool, start: Spawn = spawn) -> int:
    """Run everything until a signal says stop; return the exit code. ``start`` starts each process."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if demo:
        from armillary.commands.demo import configure

        settings = configure(settings)
    with listen(host, port) as listener:
        address = f"http://{_shown(host)}:{listener.getsockname()[1]}"
        async with open_context(settings, Role.WORKER, application="armillary up") as context:
            async with context.database.begin() as connection:
                await catalog.own_roots(connection, context)
            children = asyncio.create_task(_keep_all(settings, listener, stop, start))
            try:
                if await until_ready(address, stop, children):
                    sys.stdout.write(f"ready {address}\n")
                    sys.stdout.flush()
                    if demo:
                        from armillary.commands.demo import observing, show_demo

                        async with observing(context, address):
                            await show_demo(context, address, stop)
                            await _first(stop, children)
                    else:
                        await _first(stop, children)
            finally:
                stop.set()
                await children
    return 0


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; a child may take it over.

    Raises
    ------
    Unavailable
        If the port is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unavailable(f"Port {port} of {host}: {error.strerror}; choose another with --port.") from None
    listener.listen(1024)
    listener.set_inheritable(True)
    return listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _keep_all(settings: Settings, listener: socket.socket, stop: asyncio.Event, start: Spawn) -> None:
    data = ["--data", str(settings.data)]
    web = ["serve", *data, "--fd", str(listener.fileno())]
    commands = [web] + [
        ["worker", *data, "--name", f"worker-{n}"] for n in range(1, settings.work.workers + 1)
    ]
    # Those who add an instrument start the program anew, as after any change of settings.
    instruments = headers.names_in(settings.headers.at(settings.data))
    commands += [["header", "run", *data, "--", name] for name in instruments]
    fds = (listener.fileno(),)
    keepers = [
        asyncio.create_task(_keep(partial(start, command, fds), command[0], stop, data=settings.data))
        for command in commands
    ]
    await asyncio.wait(keepers, return_when=asyncio.FIRST_EXCEPTION)
    # They end by themselves only when told to; if one of them cannot go on, the others stop in good order.
    stop.set()
    ended = await asyncio.gather(*keepers, return_exceptions=True)
    if failed := next((one for one in ended if isinstance(one, BaseException)), None):
        raise Unavailable(f"The processes cannot be kept running: {failed}") from failed


async def _keep(
    start: Callable[[], Awaitable[Process]], name: str, stop: asyncio.Event, *, data: Path
) -> None:
    """Run a child, and again when it dies, until told to stop; then let it finish."""
    pause_s = RESTART_FIRST_S
    while not stop.is_set():
        if not data.is_dir():
            # A child that finds no directory would make one.
            raise Unavailable(f"{data} is gone; start again with --data where it is now.")
        began = time.monotonic()
        child = await start()
        ended = asyncio.create_task(child.wait())
        await _first(stop, ended)
        if stop.is_set():
            await _end(child, ended)
            return
        if name == "header" and child.returncode == 0:
            # It was told to exit by a command.
            await stop.wait()
            return
        log.warning("process died", command=name, code=child.returncode)
        pause_s = RESTART_FIRST_S if time.monotonic() - began > START_S else min(2 * pause_s, RESTART_LAST_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)


async def _end(child: Process, ended: asyncio.Task[int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(asyncio.shield(ended), STOP_S)
    except TimeoutError:
        log.warning("process does not stop; killed", pid=child.pid)
        child.kill()
        await ended


async def _first(
    stop: asyncio.Event, task: asyncio.Task[object] | asyncio.Task[int] | asyncio.Task[None]
) -> None:
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def until_ready(address: str, stop: asyncio.Event, children: asyncio.Task[None]) -> bool:
    """Tell whether the web process serves; False if somebody stopped it, or the processes ended."""
    deadline = time.monotonic() + START_S
    while not stop.is_set() and not children.done():
        if await asyncio.to_thread(answers, f"{address}/v1/health"):
            return not stop.is_set() and not children.done()
        if time.monotonic() > deadline:
            raise Unavailable("The web process does not answer; run with ARMILLARY_LOG=INFO to see why.")
        await asyncio.sleep(LOOK_S)
    return False


# What the environment says of proxies is meant for other machines.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Tell whether a server of this machine answers with success, whatever proxies the environment names."""
    try:
        with _opener.open(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (OSError, urllib.error.URLError):
        return False
