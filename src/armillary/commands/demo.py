"""The demonstration: a synthetic night, taken in live, one edit of which is taken back; then a day at the Sun."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from armillary import demo
from armillary.access import service as access
from armillary.access.models import Permission, Scope
from armillary.archive.catalog import service as catalog
from armillary.archive.intake import service as intake
from armillary.base.log import get_logger
from armillary.base.work import wait_for
from armillary.commands import observing_day
from armillary.commands.terminal import err, escape
from armillary.context import Context
from armillary.demo import make_night, night_names
from armillary.edits.history.service import history_of
from armillary.edits.models import Origin, Target
from armillary.edits.service import request_of_words, rules_of, submit_edits, submit_revert
from armillary.errors import ArmillaryError
from armillary.fits.containers import logical_name
from armillary.headers import service as headers
from armillary.headers.recipes.service import copy_reference
from armillary.settings import Settings

log = get_logger(__name__)
PATIENCE_S = 120.0
SITES, KEY = ("dmo1", "dmo2"), "demonstration sites"
SPECTROGRAPH, TELESCOPE = "spec1", "demonstration telescope"
SCOPES = (Scope.UPLOAD, Scope.CONFIG, Scope.NOTE, Scope.PIPE_PRODUCE, Scope.PIPE_CONSUME)
ORIGIN = Origin("demonstration", "command line", "a first look at what edits do")


async def show_demo(context: Context, address: str, stop: asyncio.Event) -> None:
    """Take the night and the day in while the program runs, and say what to look at."""
    showing = asyncio.create_task(_show(context, address))
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({showing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not showing.done():
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing
        return
    try:
        showing.result()
    except ArmillaryError as error:
        err.print(f"the demonstration stopped: {error.message}")


async def _show(context: Context, address: str) -> None:
    names = await _show_night(context)
    err.print(
        f"The demonstration night is in: {len(names)} files of three instruments. Try, in another terminal:\n"
        f"  armillary search --data {context.settings.data}\n"
        f"  armillary history {names[0]} --data {context.settings.data}\n"
        f"  curl {address}/v1/frames?limit=3\n"
        f"Two sites observe, {' and '.join(SITES)}: look at tonight's events, and watch their images arrive:\n"
        f"  curl '{address}/v1/events?site={SITES[0]}'\n"
        f"  curl '{address}/v1/stream'\n"
        f"The spectrograph {SPECTROGRAPH} exposes: watch its headers being made, and explain a value of one:\n"
        f"  armillary header list --data {context.settings.data}\n"
        f"  armillary search --name 'SP_*' --data {context.settings.data}"
    )
    settings = context.settings
    if not observing_day.has_root(settings):
        err.print(escape(observing_day.LEFT_OUT + observing_day.settings_text(settings)), end="")
        return
    count = await observing_day.show_day(context)
    err.print(
        f"A day at a solar telescope is in, too: {count} files of CRISP and CHROMIS, two of them not public yet,"
        " one exported again. Try:\n"
        f"  armillary ingest {settings.data / observing_day.FOLDER} --plan --data {settings.data}\n"
        f"  curl '{address}/api/v1/data_cube/?instrument=CRISP'"
    )


@contextlib.asynccontextmanager
async def observing(context: Context, address: str) -> AsyncIterator[None]:
    """Run the programs of the demonstration's sites; they know the server by its address and a key alone."""
    async with context.database.begin() as connection:
        await access.revoke(connection, KEY, now=context.clock.now())
        scopes = [Permission(one, site) for one in SCOPES for site in (*SITES, *(f"{one}w" for one in SITES))]
        secret = await access.create_token(connection, KEY, scopes, now=context.clock.now())
    program = Path(demo.__file__).with_name("observatory.py")
    # Not as an argument: everybody on the machine can read those.
    environment = {**os.environ, "OBSERVATORY_KEY": secret}
    started = [
        await asyncio.create_subprocess_exec(sys.executable, program, f"{address}/api", site, env=environment)
        for site in SITES
    ]
    exposing = asyncio.create_task(_expose(context, address, started))
    try:
        yield
    finally:
        exposing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await exposing
        await _end(started)


def configure(settings: Settings) -> Settings:
    """Give an archive without instruments a spectrograph, and one without settings a day at a solar telescope."""
    directory = settings.headers.at(settings.data)
    if not directory.exists():
        copy_reference(directory, SPECTROGRAPH)
    return observing_day.configure(settings)


async def _expose(context: Context, address: str, started: list[asyncio.subprocess.Process]) -> None:
    """Run the spectrograph of the demonstration, once: the ids of its images tell the day and count from one."""
    async with context.database.begin() as connection:
        known = await headers.exposures(
            connection, instrument=SPECTROGRAPH, night=None, state=None, before=None, limit=1
        )
    if known or SPECTROGRAPH not in headers.names_in(context.settings.headers.at(context.settings.data)):
        return
    folder = context.settings.data / "telescope"
    folder.mkdir(exist_ok=True)
    await intake.submit_paths(context, [folder], copy=False, force=False, in_place=True, watched=True)
    await headers.enable(context, SPECTROGRAPH, actor=TELESCOPE)
    async with context.database.begin() as connection:
        await access.revoke(connection, TELESCOPE, now=context.clock.now())
        scopes = [Scope.OPERATOR]
        secret = await access.create_token(connection, TELESCOPE, scopes, now=context.clock.now())
    environment = {**os.environ, "TELESCOPE_KEY": secret}
    program = "armillary.demo.telescope"
    started.append(
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", program, address, str(folder), env=environment
        )
    )


async def _end(started: Sequence[asyncio.subprocess.Process]) -> None:
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            one.terminate()
    await asyncio.gather(*(one.wait() for one in started))


async def _show_night(context: Context) -> list[str]:
    names = night_names()
    if not await _is_in(context, names):
        directory = context.settings.data / "demo"
        await asyncio.to_thread(make_night, directory)
        run = await intake.submit_paths(context, [directory], copy=False, force=False, in_place=True)
        await wait_for(context.database, context.signals, list(run.orders), PATIENCE_S)
    if not await _is_edited(context, names):
        await _edit(context, names)
    return names


async def _is_in(context: Context, names: Sequence[str]) -> bool:
    async with context.database.begin() as connection:
        known = await catalog.present_by_name(connection, map(logical_name, names))
    return {one.name for one in known} >= set(map(logical_name, names))


async def _is_edited(context: Context, names: Sequence[str]) -> bool:
    async with context.database.begin() as connection:
        pasts = [await history_of(connection, logical_name(name)) for name in names]
    return any(past.edits for past in pasts)


async def _edit(context: Context, names: Sequence[str]) -> None:
    science = [name for name in names if name.startswith("N")] or names
    wanted: list[tuple[str, dict[str, Any]]] = [
        (science[0], {"qa_state": "Usable", "raw_site": ["iq85", "cc80"]}),
        (science[1], {"qa_state": "Usable"}),
        (names[-1], {"generic": [["OBSERVER", "A. Newcomer"]]}),
    ]
    rules = rules_of(context.settings.edits)
    requests = [request_of_words(Target(name), values, rules) for name, values in wanted]
    submission = await submit_edits(context, requests, ORIGIN)
    await wait_for(context.database, context.signals, submission.order_ids, PATIENCE_S)
    revert = await submit_revert(context, science[1], None, ORIGIN)
    await wait_for(context.database, context.signals, [revert], PATIENCE_S)
