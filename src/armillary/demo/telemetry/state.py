"""In what state the devices are at any instant of a planned night: the one thing that samples and truth share."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from typing import Any, ClassVar

import numpy as np

from armillary.demo.telemetry.astronomy import SECOND, Floats
from armillary.demo.telemetry.instruments import Detector, Instrument
from armillary.demo.telemetry.plan import OBJECT, Exposure, Plan, Visit
from armillary.demo.telemetry.pointing import Reading


class State:
    """The devices of a planned night, asked at instants in TAI nanoseconds."""

    OBSERVER, PORT, M3_PORT = "A. Simulator", 2, 3
    OVERSCAN: ClassVar = (64, 48)
    LASER: ClassVar[dict[str, str | float]] = {"mode": "CONTINUOUS", "wavelength": 532.0, "energy": 12.5}
    LED: ClassVar[dict[str, str | float]] = {"name": "M450LP1", "current": 0.75, "exposure_time": 1.5}
    DOME_S, WEATHER_S, SEEING_S, SEEING_GOOD_S, HEXAPOD_S, CCD_S = 5, 30, 120, 300, 5, 30
    TEXTS: ClassVar = {
        "manufacturer": "CCD_MANU",
        "type": "CCD_TYPE",
        "ccd_serial": "CCD_SERN",
        "serial": "LSST_NUM",
        "slot": "CCDSLOT",
        "raft": "RAFTBAY",
        "raft_serial": "RAFTNUM",
        "sequencer_name": "SEQNAME",
        "sequencer_checksum": "SEQCKSUM",
        "reb_name": "REBNAME",
        "reb_serial": "REBNUM",
        "controller_number": "CONTNUM",
    }
    """Fields of the focal plane that are texts, and their keywords."""
    NUMBERS: ClassVar = {"number": "DETNUM", "gain": "GAIN", "noise": "RDNOISE"}

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._begun = [one.begun for one in plan.visits]
        chance = np.random.Generator(np.random.PCG64([plan.seed, 1]))
        self._phases = chance.uniform(0.0, 2 * math.pi, 8)
        count = len(plan.instrument.detectors)
        self._cold = np.round(chance.normal(-95.0, 0.3, count), 3)
        self._bias = np.round(chance.normal(-50.0, 0.05, count), 3)
        self._warm = np.round(chance.normal(12.0, 1.0, count), 3)
        sky = [one for one in plan.visits if one.kind == OBJECT]
        # Seeing is measured at night alone, and not while somebody looks after the monitor.
        self._dark = sky[0].begun if sky else plan.ended + 10**18
        middle = sky[len(sky) // 2].begun if len(sky) > 10 else plan.ended + 10**18
        self._away = (middle, middle + 900 * SECOND)

    # The visit, and where the telescope points.

    def place(self, t: int) -> int:
        """Return the number of the visit."""
        return max(0, bisect_right(self._begun, t) - 1)

    def visit(self, t: int) -> Visit:
        """Return the visit."""
        return self.plan.visits[self.place(t)]

    def target_deg(self, place: int) -> tuple[float, float]:
        """Return the ICRS position of the target of a visit; one that stands still has that of its horizon."""
        sky = self.plan.skies[place]
        if sky.ra_deg is not None:
            return sky.catalogue
        found = self.plan.path.at([self.plan.visits[place].ready])
        return float(found.ra[0]), float(found.dec[0])

    def mount(self, instants: list[int]) -> Reading:
        """Return where the mount points at instants; they may lie in several visits."""
        if self.place(instants[0]) == self.place(instants[-1]) and not self._moving(instants):
            return self.plan.path.at(instants)
        parts = [self.plan.path.at([one]) for one in instants]
        return Reading(*(_joined(parts, name) for name in Reading.__slots__))

    def _moving(self, instants: list[int]) -> bool:
        visit = self.visit(instants[0])
        return instants[0] < visit.ready <= instants[-1]

    def status(self, t: int) -> tuple[float, float]:
        """Return hour angle in hours, and airmass."""
        found = self.plan.path.at([t])
        airmass = 1.0 / math.sin(math.radians(max(float(found.elevation[0]), 1.0)))
        return round(float(found.hour_angle[0]) / 15.0, 7), round(airmass, 6)

    def encoders(self, t: int) -> tuple[float, float]:
        """Return azimuth and elevation, degrees."""
        found = self.plan.path.at([t])
        return float(found.azimuth[0]), float(found.elevation[0])

    def rotator(self, t: int) -> float:
        """Return the angle of the rotator, degrees: position angle on the sky less parallactic angle."""
        found = self.plan.path.at([t])
        angle = float(found.rotation[0]) - float(found.parallactic[0])
        tracks = self.visit(t).tracking == "RADEC" and t >= self.visit(t).ready
        return round((angle + 180.0) % 360.0 - 180.0, 6) if tracks else 0.0

    # What changes slowly.

    def _wave(self, t: int, which: int, period_s: float) -> float:
        return math.sin(
            (t - self.plan.started) / SECOND / period_s * 2 * math.pi + float(self._phases[which])
        )

    def weather(self, t: int) -> dict[str, Any]:
        """Return what the weather station says."""
        hours = (t - self.plan.started) / SECOND / 3600
        pressure = 74_300.0 + 60.0 * self._wave(t, 0, 40_000) + 3.0 * self._wave(t, 1, 700)
        return {
            "air_temperature": round(12.0 - 0.5 * hours + 0.4 * self._wave(t, 2, 1900), 2),
            "pressure": [round(pressure, 1), round(pressure + 12.0, 1)],
            "humidity": round(30.0 + 12.0 * self._wave(t, 3, 9000) + 1.5 * self._wave(t, 4, 800), 2),
            "wind_speed": round(5.0 + 2.5 * self._wave(t, 5, 2500) + 1.0 * self._wave(t, 6, 130), 2),
            "wind_direction": round((30.0 + 25.0 * self._wave(t, 7, 5000)) % 360.0, 2),
        }

    def seeing(self, t: int) -> float:
        """Return what the seeing monitor measures, arcseconds."""
        return round(0.9 + 0.25 * self._wave(t, 0, 3000) + 0.08 * self._wave(t, 3, 500), 3)

    def seeing_is_measured(self, t: int) -> bool:
        """Tell whether the seeing monitor works."""
        return t >= self._dark and not self._away[0] <= t < self._away[1]

    def dome(self, t: int) -> tuple[float, float, float]:
        """Return azimuth of the dome in degrees, and how far its two shutters are open in percent."""
        azimuth = float(self.plan.path.at([t]).azimuth[0])
        is_open = self.visit(t).tracking != "LOCAL"
        # It follows the telescope in steps.
        return round(azimuth * 2) / 2 % 360.0, 80.0 if is_open else 0.0, 100.0 if is_open else 0.0

    def hexapod_um(self, t: int) -> float:
        """Return the focus, micrometres."""
        return round(self.visit(t).focus_mm * 1000.0 + 2.0 * self._wave(t, 1, 4000), 3)

    def ccds(self, t: int) -> dict[str, Floats]:
        """Return what the camera says of its detectors, in their order."""
        return {
            "temperature": np.round(self._cold + 0.05 * self._wave(t, 2, 1200), 3),
            "set_point": np.full(len(self._cold), -95.0),
            "bias_voltage": self._bias,
            "reb_temperature": np.round(self._warm + 0.5 * self._wave(t, 4, 3600), 3),
        }

    # Images and detectors.

    @staticmethod
    def keyed(one: Exposure) -> dict[str, str]:
        """Return what the scheduler says of an image."""
        kind = one.visit.kind
        return {
            "image_type": kind,
            "group_id": one.group,
            "test_type": kind,
            "reason": {OBJECT: "survey", "ENGTEST": "pointing test"}.get(kind, "calibration"),
            "program": "SIM-0001" if kind == OBJECT else "CALIB",
        }

    @staticmethod
    def annotation(one: Exposure) -> str:
        """Return the note of an image."""
        return f"{one.visit.target}, {one.index} of {one.of}"

    @staticmethod
    def shutter_s(one: Exposure) -> float:
        """Return for how long the shutter was open."""
        return 0.0 if one.opened is None or one.closed is None else (one.closed - one.opened) / SECOND

    @staticmethod
    def dark_s(one: Exposure) -> float:
        """Return for how long charge was collected before it was read out."""
        return round((one.readout - one.start) / SECOND, 3)

    def ending(self, one: Exposure) -> dict[str, Any]:
        """Return what the camera says at the end of an image."""
        return {
            "image_id": one.image_id,
            "date_obs": one.begin / SECOND,
            "date_begin": one.begin / SECOND,
            "date_end": one.stop / SECOND,
            "dark_time": self.dark_s(one),
            "shutter_time": self.shutter_s(one),
            "image_tag": self.tag(one),
            "emulated_image": "live",
        }

    @staticmethod
    def tag(one: Exposure) -> str:
        """Return the tag that the camera gives an image."""
        return hashlib.sha256(one.image_id.encode()).hexdigest()[:16]

    @staticmethod
    def detector(instrument: Instrument, one: Detector) -> dict[str, Any]:
        """Return what is known of a detector, by keyword."""
        number = one.number
        return {
            "CCD_MANU": one.vendor,
            "CCD_TYPE": one.kind,
            "CCD_SERN": f"{20_000 + number}",
            "LSST_NUM": f"{one.vendor}-{one.kind}-{number:03d}",
            "CCDSLOT": one.slot,
            "RAFTBAY": one.raft,
            "RAFTNUM": f"RTM-{int(one.raft[1:]):03d}",
            "SEQNAME": f"FP_{one.vendor}_2s_v29.seq",
            "SEQCKSUM": "2552520002" if one.vendor == "ITL" else "1376737771",
            "REBNAME": f"{one.raft}/Reb{one.slot[1]}",
            "REBNUM": f"{412_220_000 + number // 3}",
            "CONTNUM": f"{189_200_000 + number // 3}",
            "DETNUM": number,
            "GAIN": round(1.5 + 0.002 * (number % 100), 3),
            "RDNOISE": round(5.0 + 0.01 * (number % 100), 2),
        }


def _joined(parts: list[Reading], name: str) -> Floats:
    return np.concatenate([getattr(one, name) for one in parts])
