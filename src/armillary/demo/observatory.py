"""An observatory that never was, as a program of its own: it knows the server by its address alone.

It does what the programs of a site do in a night: it sends its configuration, exposes, sends header and picture
of each exposure, asks for its reduction, reduces what it finds in its queue, and leaves a note. It imports nothing
of the server, and may be copied and changed by whoever wants to try a client:

    OBSERVATORY_KEY=... python observatory.py http://127.0.0.1:8000/api dmo1

It ends on SIGTERM, or after so many exposures as the third argument says; the fourth is the pause between them in
seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
from PIL import Image, ImageFilter

PLACES: Mapping[str, tuple[float, float, float, str]] = {
    "dmo1": (28.3, -16.51, 2390.0, "Atlantic/Canary"),
    "dmo2": (-30.24, -70.74, 2715.0, "America/Santiago"),
}
"""Latitude and longitude (degrees, east positive), height (m) and zone of each site."""
FIELDS = (("M 31", 10.68, 41.27), ("M 42", 83.82, -5.39), ("NGC 253", 11.89, -25.29), ("M 77", 40.67, -0.01))
FILTERS = ("w", "gp", "rp", "ip")
PAUSE_S, EXPOSURE_S = 15.0, 30.0
TRIES, RETRY_S = 5, 2.0
WIDTH, HEIGHT = 960, 640


class Observatory:
    """One site: a camera, a queue of what is to be reduced, and a connection to the archive."""

    def __init__(self, base: str, key: str, site: str) -> None:
        self.site, self._wema = site, f"{site}w"
        self._client = httpx.Client(base_url=base, headers={"X-Api-Key": key}, timeout=20)
        self._dice = np.random.default_rng(sum(site.encode()))
        self._stop = threading.Event()

    def stop(self, *_: object) -> None:
        """Finish what is under way, and nothing more."""
        self._stop.set()

    def run(self, exposures: int | None, pause_s: float) -> None:
        """Observe until told to stop, or so many exposures."""
        self._put_config()
        self._ask("POST", "/pipe/queue", {"queue_name": self.site})
        self._note(f"Demonstration of {self.site}: the roof is open.")
        number = int(time.time()) % 100_000_000
        done = 0
        while not self._stop.is_set() and done != exposures:
            self._expose(number + done, done)
            self._reduce()
            done += 1
            self._stop.wait(pause_s)

    def _put_config(self) -> None:
        latitude, longitude, height, zone = PLACES.get(self.site, (0.0, 0.0, 0.0, "UTC"))
        wema = {
            "instance_type": "wema",
            "wema_name": self._wema,
            "obsp_ids": [self.site],
            "latitude": latitude,
            "longitude": longitude,
            "elevation": height,
            "reference_ambient": 10.0,
            "reference_pressure": 770.0,
            "TZ_database_name": zone,
        }
        camera = {"camera_1": {"name": "sq101", "filters": list(FILTERS)}}
        obs = {"instance_type": "obs", "obs_id": self.site, "wema_name": self._wema, "camera": camera}
        self._ask("PUT", f"/{self._wema}/config", wema)
        self._ask("PUT", f"/{self.site}/config", obs)

    def _note(self, text: str) -> None:
        note = {"site": self.site, "username": "demonstration", "message": text, "ttl_hours": 12}
        self._ask("POST", f"/nightlog/{self.site}", {"note_data": note})

    def _expose(self, number: int, done: int) -> None:
        now = datetime.now(UTC)
        base = f"{self.site}-sq101-{now:%Y%m%d}-{number:08d}"
        name, ra, dec = FIELDS[done % len(FIELDS)]
        used = FILTERS[done // len(FIELDS) % len(FILTERS)]
        header = {
            "OBJECT": name,
            "EXPTIME": EXPOSURE_S,
            "FILTER": used,
            "DATE-OBS": now.isoformat(timespec="milliseconds").removesuffix("+00:00"),
            "CRVAL1": ra,
            "CRVAL2": dec,
            "ALTITUDE": 60.0 + 5.0 * (done % 3),
            "AZIMUTH": 180.0,
            "AIRMASS": 1.15,
            "USERID": "demonstration",
            "USERNAME": "demonstration",
            "SITEID": self.site,
            "INSTRUME": "sq101",
            "DAY-OBS": f"{now:%Y%m%d}",
            "ORIGNAME": f"{base}-EX00.fits",
            "SMARTSTK": "no",
        }
        self._send("data", f"{base}-EX00.txt", header_text(header))
        self._send("data", f"{base}-EX10.jpg", self._picture())
        request = {"request": "reduce", "request_content": [f"{base}-EX00.fits.fz"]}
        self._ask("POST", "/pipe/enqueue", {"queue_name": self.site, "sender": self.site, "payload": request})

    def _reduce(self) -> None:
        """Take what waits out of the queue, as the machine that reduces does; it is never long."""
        reply = self._ask("POST", f"/pipe/queue/{self.site}/dequeue", None)
        state = "idle"
        if reply is not None and reply.status_code == httpx.codes.OK:
            state = f"reduced {reply.json()['payload']['request_content'][0]}"
        self._ask("POST", "/pipe/status", {"pipe_id": self.site, "status": state})

    def _send(self, directory: str, name: str, content: bytes) -> None:
        slot = self._ask("POST", "/upload", {"s3_directory": directory, "object_name": name})
        if slot is None or slot.status_code != httpx.codes.OK:
            return
        told = slot.json()
        with contextlib.suppress(httpx.HTTPError):
            self._client.post(told["url"], data=told["fields"], files={"file": (name, content)})

    def _picture(self) -> bytes:
        """Return a field of stars as a JPEG."""
        sky = self._dice.normal(20, 4, (HEIGHT, WIDTH))
        stars = np.zeros((HEIGHT, WIDTH))
        rows, columns = self._dice.integers(0, HEIGHT, 300), self._dice.integers(0, WIDTH, 300)
        stars[rows, columns] = self._dice.pareto(1.2, 300) * 400
        sharp = np.clip(sky + stars, 0, 255).astype(np.uint8)
        seen = Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(0.8))
        made = io.BytesIO()
        seen.save(made, "JPEG", quality=85)
        return made.getvalue()

    def _ask(self, method: str, path: str, body: object) -> httpx.Response | None:
        """Send a request without a Content-Type, as the programs of sites do; try again if nobody answers."""
        content = None if body is None else json.dumps(body)
        for attempt in range(TRIES):
            with contextlib.suppress(httpx.HTTPError):
                reply = self._client.request(method, path, content=content)
                if reply.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return reply
            if self._stop.wait(RETRY_S * attempt):
                break
        return None


def header_text(header: Mapping[str, Any]) -> bytes:
    """Return a header as cards of 80 characters without line breaks, up to END."""
    cards = [f"{keyword:8}= {_value(value)}".ljust(80)[:80] for keyword, value in header.items()]
    return ("".join(cards) + "END".ljust(80)).encode("ascii")


def _value(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("'", "''")
        return f"'{escaped:8}'"
    return f"{value!s:>20}"


def main(base: str, site: str, exposures: str = "", pause_s: str = "") -> None:
    """Run an observatory."""
    observatory = Observatory(base, os.environ["OBSERVATORY_KEY"], site)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, observatory.stop)
    observatory.run(int(exposures) if exposures else None, float(pause_s) if pause_s else PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
