"""What is wrong with a configuration, as warnings: by its kind, and by what else is configured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from armillary.sites.zones import zone_of

Kind = Literal["wema", "obs"]
Config = Mapping[str, Any]
MOST = 100
"""Warnings of one configuration; more are counted only."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value should be like: ``fault`` returns what it is instead, empty if it is fine."""

    key: str
    fault: Callable[[Any], str]
    needed: bool = False


def warnings_of(site: str, config: Config, others: Collection[str]) -> list[str]:
    """Return what is wrong with the configuration of a site; ``others`` are the sites that have one."""
    found = list(_faults(site, config, others))
    more = [f"and {len(found) - MOST} more"] if len(found) > MOST else []
    return found[:MOST] + more


def _faults(site: str, config: Config, others: Collection[str]) -> Iterator[str]:
    kind = config.get("instance_type")
    if kind not in ("wema", "obs"):
        yield f"instance_type: {_shown(kind)} is neither 'wema' nor 'obs'"
    for rule in (*COMMON, *(RULES[kind] if kind in ("wema", "obs") else ())):
        if rule.key in config:
            if fault := rule.fault(config[rule.key]):
                yield f"{rule.key}: {fault}"
        elif rule.needed:
            yield f"{rule.key}: is missing"
    yield from _links(site, config, kind, others)


def _links(site: str, config: Config, kind: object, others: Collection[str]) -> Iterator[str]:
    """Tell which other configurations are named that are not there."""
    wema, observatories = config.get("wema_name"), config.get("obsp_ids")
    if isinstance(wema, str) and wema and wema != site:
        if kind == "wema":
            yield f"wema_name: {_shown(wema)} is another site than '{site}', whose WEMA this is"
        if wema not in others:
            yield f"wema_name: {_shown(wema)} has no configuration"
    own = config.get("obs_id")
    if kind == "obs" and isinstance(own, str) and own != site:
        yield f"obs_id: {_shown(own)} is another site than '{site}'"
    if kind == "wema" and isinstance(observatories, list):
        for one in observatories:
            if isinstance(one, str) and one not in others:
                yield f"obsp_ids: {_shown(one)} has no configuration"


def number_of(value: Any) -> float | None:
    """Return the number that a value is: a number, a text of one, or a list that begins with either."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    # Python reads 1_0 as ten; nobody else does.
    if isinstance(value, str) and "_" in value:
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _within(low: float, high: float, unit: str, *, lists: bool = False) -> Callable[[Any], str]:
    def fault(value: Any) -> str:
        number = None if isinstance(value, list) and not lists else number_of(value)
        if number is None:
            return f"{_shown(value)} is no number"
        # What is not a number is not within, either.
        return "" if low <= number <= high else f"{_shown(value)} is not from {low:g} to {high:g} {unit}"

    return fault


def _zone(value: Any) -> str:
    if zone_of(value) is not None:
        return ""
    return f"{_shown(value)} is no name of a time zone, as 'America/Los_Angeles'"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else f"{_shown(value)} is no text"


def _texts(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return "" if good else f"{_shown(value)} is no list of texts"


def _object(value: Any) -> str:
    return "" if isinstance(value, dict) else f"{_shown(value)} is no object"


def _schedule(value: Any) -> str:
    """Check the block of events, which a site computes and whose values are days."""
    if not isinstance(value, dict):
        return _object(value)
    for name, one in value.items():
        if isinstance(one, bool) or not isinstance(one, int | float | str | None):
            return f"{_shown(name)}: {_shown(one)} is neither a number nor a text"
    return ""


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else f"a {_NAMES[type(value)]}"
    return text if len(text) <= 60 else f"{text[:57]}..."


_NAMES: Mapping[type, str] = {dict: "value of several", list: "list"}

COMMON = (
    Rule("latitude", _within(-90, 90, "degrees")),
    Rule("longitude", _within(-180, 360, "degrees, east positive")),
    Rule("elevation", _within(-500, 9000, "m", lists=True)),
    Rule("reference_ambient", _within(-90, 60, "degrees Celsius", lists=True)),
    Rule("reference_pressure", _within(300, 1100, "hPa", lists=True)),
    Rule("TZ_database_name", _zone),
    Rule("wema_name", _text, needed=True),
    Rule("events", _schedule),
)
"""Rules of every kind. An elevation, temperature or pressure may be a list, whose first item counts."""
RULES: Mapping[str, tuple[Rule, ...]] = {
    "wema": (
        Rule("obsp_ids", _texts),
        Rule("latitude", lambda _: "", needed=True),
        Rule("longitude", lambda _: "", needed=True),
        Rule("TZ_database_name", lambda _: "", needed=True),
    ),
    "obs": (Rule("obs_id", _text, needed=True), Rule("device_types", _texts)),
}
"""What is asked of each kind besides: WEMAs hold the place of their observatories."""
