"""What the devices of an instrument say through a night: one stream of samples for each of their topics.

Each stream is in the order of event times, and what it says needs a constant time to arrive, so that streams can
be merged without being held in memory: pointing alone says a hundred things a second.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from armillary.base.bus.models import Sample
from armillary.demo.telemetry.astronomy import SECOND
from armillary.demo.telemetry.plan import FLAT, MS, Exposure, Plan
from armillary.demo.telemetry.state import State

BLOCK = 100
"""Readings of the mount in one sample."""
Said = tuple[int, dict[str, Any], int | None]
"""Event time, payload, and when it expires."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A sample, and when it arrives."""

    arrives: int
    sample: Sample


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic of a component."""

    component: str
    topic: str
    kind: Literal["event", "telemetry"]
    said: Callable[[], Iterable[Said]]
    delay: int
    """From event to arrival, nanoseconds."""


def samples_of(plan: Plan, state: State) -> Iterator[Timed]:
    """Yield what all devices say, in the order of arrival."""
    epoch = f"sim-{plan.seed}"
    streams = [_stream(one, place, epoch) for place, one in enumerate(channels_of(plan, state))]
    for arrives, _, _, sample in heapq.merge(*streams):
        yield Timed(arrives, sample)


def _stream(one: Channel, place: int, epoch: str) -> Iterator[tuple[int, int, int, Sample]]:
    for seq, (t, payload, expires) in enumerate(one.said(), start=1):
        sample = Sample(one.component, one.topic, epoch, seq, payload, one.kind, t, expires)
        yield t + one.delay, place, seq, sample


def channels_of(plan: Plan, state: State) -> list[Channel]:
    """Return all topics of all components of an instrument."""
    found = [
        *_camera(plan, state),
        *_pointing(plan, state),
        *_mount(plan, state),
        *_surroundings(plan, state),
    ]
    if plan.instrument.gratings:
        found += _spectrograph(plan)
    if plan.instrument.has_encoders:
        found += _wide_field(plan, state)
    return found


def _event(component: str, topic: str, said: Callable[[], Iterable[Said]], delay_ms: int = 12) -> Channel:
    return Channel(component, topic, "event", said, delay_ms * MS)


def _telemetry(component: str, topic: str, said: Callable[[], Iterable[Said]], delay_ms: int = 20) -> Channel:
    return Channel(component, topic, "telemetry", said, delay_ms * MS)


def _once(plan: Plan, payload: dict[str, Any]) -> Callable[[], Iterable[Said]]:
    return lambda: [(plan.started, payload, None)]


def _simulation(plan: Plan, component: str) -> Channel:
    return _event(component, "simulation", _once(plan, {"enabled": False}))


def _ticks(plan: Plan, period_s: int) -> range:
    """Return whole instants of the night, so many seconds apart."""
    return range(plan.started, plan.ended + 5 * SECOND, period_s * SECOND)


# The camera.


def _camera(plan: Plan, state: State) -> list[Channel]:
    name = plan.instrument.components["camera"]
    moments: list[tuple[str, Callable[[Exposure], int | None]]] = [
        ("shutter_opened", lambda one: one.opened),
        ("shutter_closed", lambda one: one.closed),
        ("start_readout", lambda one: one.readout),
        ("end_readout", lambda one: one.read),
    ]
    found = [
        _event(name, "focal_plane", _once(plan, focal_plane(plan))),
        _simulation(plan, name),
        _event(
            name, "readout_parameters", lambda: [_readout_parameters(plan, one) for one in plan.exposures]
        ),
        _event(name, "start_integration", lambda: [_start(one, plan) for one in plan.exposures]),
        _event(
            name, "end_of_telemetry", lambda: [(one.end, state.ending(one), None) for one in plan.exposures]
        ),
        *(_event(name, topic, _moments(plan, when)) for topic, when in moments),
    ]
    if not plan.instrument.gratings:
        found.append(_event(name, "filter", lambda: _changes(plan, "filter")))
    return found


def _moments(plan: Plan, when: Callable[[Exposure], int | None]) -> Callable[[], Iterable[Said]]:
    return lambda: [
        (t, {"image_id": one.image_id}, None) for one in plan.exposures if (t := when(one)) is not None
    ]


def delimited(items: Iterable[str]) -> str:
    """Join items by colons; colons and backslashes in them are marked by a backslash."""
    return ":".join(one.replace("\\", "\\\\").replace(":", "\\:") for one in items)


def _start(one: Exposure, plan: Plan) -> Said:
    keyed = State.keyed(one)
    return (
        one.start,
        {
            "image_id": one.image_id,
            "camera_code": plan.instrument.code,
            "controller": plan.controller,
            "day_obs": one.day_obs,
            "seq_num": one.number,
            "exposure_time": one.exposure_s,
            "timeout": one.exposure_s + 20.0,
            "current_index": one.index,
            "max_index": one.of,
            "add_keys": delimited(keyed),
            "add_values": delimited(keyed.values()),
        },
        None,
    )


def _readout_parameters(plan: Plan, one: Exposure) -> Said:
    detectors = plan.instrument.detectors
    payload = {
        "image_id": one.image_id,
        "annotation": State.annotation(one),
        "location": delimited(each.location for each in detectors),
        "cols": [each.cols for each in detectors],
        "rows": [each.rows for each in detectors],
        "pre_cols": [each.prescan for each in detectors],
        "over_cols": [State.OVERSCAN[0]] * len(detectors),
        "over_rows": [State.OVERSCAN[1]] * len(detectors),
    }
    return one.start - 50 * MS, payload, None


def focal_plane(plan: Plan) -> dict[str, Any]:
    """Return what the camera says of its detectors."""
    detectors = plan.instrument.detectors
    known = [State.detector(plan.instrument, one) for one in detectors]
    texts = {field: delimited(str(one[key]) for one in known) for field, key in State.TEXTS.items()}
    return {
        "location": delimited(one.location for one in detectors),
        **texts,
        **{field: [one[key] for one in known] for field, key in State.NUMBERS.items()},
    }


# Pointing and mount.


def _pointing(plan: Plan, state: State) -> list[Channel]:
    name = plan.instrument.components["pointing"]
    return [
        _event(name, "target", lambda: _targets(plan, state)),
        # A block is complete with its last reading.
        Channel(name, "mount", "telemetry", lambda: _blocks(plan, state), SECOND - SECOND // BLOCK + 15 * MS),
        _telemetry(name, "target_status", lambda: _statuses(plan, state)),
    ]


def _targets(plan: Plan, state: State) -> Iterator[Said]:
    for place, visit in enumerate(plan.visits):
        ra, dec = state.target_deg(place)
        payload = {"name": visit.target, "ra": math.radians(ra), "dec": math.radians(dec)}
        yield visit.begun + 10 * MS, payload, None


def _blocks(plan: Plan, state: State) -> Iterator[Said]:
    for start in _ticks(plan, 1):
        instants = [start + n * (SECOND // BLOCK) for n in range(BLOCK)]
        found = state.mount(instants)
        payload = {
            "timestamps": [round(one / SECOND, 3) for one in instants],
            "ra": found.ra.tolist(),
            "dec": found.dec.tolist(),
            "azimuth": found.azimuth.tolist(),
            "elevation": found.elevation.tolist(),
            "position_angle": found.rotation.tolist(),
        }
        yield start, payload, None


def _statuses(plan: Plan, state: State) -> Iterator[Said]:
    for t in _ticks(plan, 1):
        hour_angle, airmass = state.status(t)
        yield t, {"hour_angle": hour_angle, "airmass": airmass}, None


def _mount(plan: Plan, state: State) -> list[Channel]:
    name = plan.instrument.components["mount"]
    if not plan.instrument.has_encoders:
        return [_simulation(plan, name), _event(name, "control", lambda: _controls(plan))]
    numbers = {"RADEC": 1, "AZEL": 2, "LOCAL": 3}
    systems = lambda: [  # noqa: E731
        (one.begun + 5 * MS, {"system": numbers[one.tracking], "frame": 1}, None) for one in plan.visits
    ]
    return [
        _simulation(plan, name),
        _event(name, "tracking", systems),
        _telemetry(name, "encoders", lambda: _encoders(plan, state)),
    ]


def _controls(plan: Plan) -> Iterator[Said]:
    for one in plan.visits:
        payload = {"tracking_system": one.tracking, "radec_system": "ICRS", "m3_port": State.M3_PORT}
        yield one.begun + 5 * MS, payload, None


def _encoders(plan: Plan, state: State) -> Iterator[Said]:
    for t in _ticks(plan, 1):
        azimuth, elevation = state.encoders(t)
        yield t, {"azimuth": azimuth, "elevation": elevation}, None


# Dome, weather, and what people say.


def _surroundings(plan: Plan, state: State) -> list[Channel]:
    names = plan.instrument.components
    found = [
        _simulation(plan, names["dome"]),
        _telemetry(names["dome"], "position", lambda: _domes(plan, state)),
        _event(names["dome"], "vignetting", lambda: _vignettings(plan)),
        _telemetry(names["weather"], "conditions", lambda: _weathers(plan, state), delay_ms=80),
        _event(names["seeing"], "measurement", lambda: _seeings(plan, state), delay_ms=150),
        _event(names["operator"], "values", _once(plan, {"OBSERVER": State.OBSERVER})),
    ]
    if "optics" in names:
        found.append(_simulation(plan, names["optics"]))
        found.append(
            _event(
                names["optics"],
                "focus",
                lambda: [(one.begun + 40 * MS, {"z": one.focus_mm}, None) for one in plan.visits],
            )
        )
    return found


def _domes(plan: Plan, state: State) -> Iterator[Said]:
    for t in _ticks(plan, State.DOME_S):
        azimuth, lower, upper = state.dome(t)
        yield t, {"azimuth": azimuth, "shutter_lower": lower, "shutter_upper": upper}, None


def _vignettings(plan: Plan) -> Iterator[Said]:
    changes = [(one.begun + 30 * MS, one.vignetting) for one in plan.visits]
    for exposure in plan.exposures:
        if exposure.darkened:
            changes += [(exposure.darkened[0], 2), (exposure.darkened[1], exposure.visit.vignetting)]
    for t, number in sorted(changes):
        yield t, {"state": number}, None


def _weathers(plan: Plan, state: State) -> Iterator[Said]:
    for t in _ticks(plan, State.WEATHER_S):
        yield t, state.weather(t), None


def _seeings(plan: Plan, state: State) -> Iterator[Said]:
    for t in _ticks(plan, State.SEEING_S):
        if state.seeing_is_measured(t):
            yield t, {"seeing": state.seeing(t)}, t + State.SEEING_GOOD_S * SECOND


# What only some instruments have.


def _changes(plan: Plan, what: Literal["filter", "grating"]) -> Iterator[Said]:
    before = None
    for visit in plan.visits:
        one = visit.filter if what == "filter" else visit.grating
        if one is not None and one != before:
            yield visit.begun + 60 * MS, {"name": one.name, "band": one.band, "slot": one.slot}, None
            before = one


def _spectrograph(plan: Plan) -> list[Channel]:
    name = plan.instrument.components["spectrograph"]
    stages = lambda: [  # noqa: E731
        (one.begun + 70 * MS, {"position": one.stage_mm}, None) for one in plan.visits
    ]
    return [
        _simulation(plan, name),
        _event(name, "filter", lambda: _changes(plan, "filter")),
        _event(name, "disperser", lambda: _changes(plan, "grating")),
        _event(name, "stage", stages),
        _event(name, "settings", _once(plan, {"port": State.PORT})),
    ]


def _wide_field(plan: Plan, state: State) -> list[Channel]:
    names = plan.instrument.components
    return [
        _simulation(plan, names["hexapod"]),
        _simulation(plan, names["rotator"]),
        _telemetry(names["hexapod"], "position", lambda: _hexapods(plan, state)),
        _telemetry(
            names["rotator"],
            "position",
            lambda: ((t, {"angle": state.rotator(t)}, None) for t in _ticks(plan, 1)),
        ),
        _event(names["laser"], "state", lambda: _lamps(plan, State.LASER)),
        _event(names["leds"], "state", lambda: _lamps(plan, State.LED)),
        _telemetry(names["camera"], "ccd_state", lambda: _ccds(plan, state), delay_ms=60),
    ]


def _hexapods(plan: Plan, state: State) -> Iterator[Said]:
    for t in _ticks(plan, State.HEXAPOD_S):
        yield t, {"x": 12.5, "y": -3.25, "z": state.hexapod_um(t)}, None


def _lamps(plan: Plan, payload: dict[str, Any]) -> Iterator[Said]:
    for one in plan.visits:
        if one.kind == FLAT:
            yield one.begun + 80 * MS, payload, None


def _ccds(plan: Plan, state: State) -> Iterator[Said]:
    location = delimited(one.location for one in plan.instrument.detectors)
    for t in _ticks(plan, State.CCD_S):
        columns = {field: np.asarray(column).tolist() for field, column in state.ccds(t).items()}
        yield t, {"location": location, **columns}, None
