"""A spectrograph that never was: its telemetry as it happens, and its raw images, which know nothing of it.

It is a process of its own that knows the server by its address and a key with the scope `operator`, and a folder
in which it leaves what its camera reads out, as real ones do:

    TELESCOPE_KEY=... python -m armillary.demo.telescope http://127.0.0.1:8000 FOLDER

It takes so many images as the third argument says, and ends then, or on SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
from astropy.io import fits

from armillary.demo.telemetry import Night, simulate
from armillary.demo.telemetry.astronomy import SECOND
from armillary.demo.telemetry.player import Server, play
from armillary.sky.timescales import tai_from_utc

INSTRUMENT, DETECTOR = "spec1", "R00_S00"
SEED, IMAGES = 7, 40
LEAD_S = 52.0
"""The night has begun when somebody looks: devices spoke for a while, and the first image comes soon."""
SEGMENTS = ("10", "11", "12", "13", "14", "15", "16", "17", "07", "06", "05", "04", "03", "02", "01", "00")
ROWS, COLUMNS = 64, 24


def tai_now() -> int:
    """Return the instant in nanoseconds of TAI."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return round((tai_from_utc(datetime.now(UTC)).replace(tzinfo=UTC) - epoch).total_seconds() * 1e6) * 1000


def raw_image(number: int) -> bytes:
    """Return what a camera writes: the pixels of every amplifier, with checksums, and no word of the exposure."""
    dice = np.random.default_rng(number)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(name=f"{DETECTOR}_PRIMARY")]
    row = np.arange(ROWS)[:, None]
    for place, segment in enumerate(SEGMENTS):
        # A spectrum crosses all amplifiers.
        light = 4000 * np.exp(-(((row - 20 - place) / 3.0) ** 2))
        pixels = (1000 + light + dice.normal(0, 12, (ROWS, COLUMNS))).astype(np.int32)
        hdus.append(fits.ImageHDU(pixels, name=f"{DETECTOR}_Segment{segment}"))
    with io.BytesIO() as written:
        fits.HDUList(hdus).writeto(written, checksum=True)
        return written.getvalue()


async def read_out(night: Night, folder: Path, begun: float) -> None:
    """Leave the image of each exposure in the folder when it is over."""
    for one in night.plan.exposures:
        await asyncio.sleep(max(0.0, begun + (one.end - night.plan.started) / SECOND - time.monotonic()))
        path = folder / f"{one.image_id}_{DETECTOR}.fits"
        part = folder / f".{path.name}.part"
        await asyncio.to_thread(part.write_bytes, raw_image(one.number))
        part.replace(path)


async def observe(address: str, folder: Path, images: int) -> None:
    """Take images, and tell what the devices say meanwhile."""
    begun = time.monotonic() - LEAD_S
    night = simulate(INSTRUMENT, SEED, images, start=tai_now() - round(LEAD_S * SECOND))
    looks = 0

    def clock() -> float:
        # What was said before is sent at once: the first look tells when the night began.
        nonlocal looks
        looks += 1
        return begun if looks == 1 else time.monotonic()

    headers = {"X-Api-Key": os.environ["TELESCOPE_KEY"]}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as client:
        await asyncio.gather(
            play(night.samples(), Server(client), speed=1.0, clock=clock), read_out(night, folder, begun)
        )


async def main(address: str, folder: Path, images: int) -> None:
    """Observe until everything is taken, or until told to stop."""
    observing = asyncio.create_task(observe(address, folder, images))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, observing.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await observing


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else IMAGES))
