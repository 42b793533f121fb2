"""Values in another unit than the one they are declared in, found by what is possible."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from armillary.headers.rules.hour_angle import hour_angle_readings
from armillary.headers.rules.instants import span_of
from armillary.headers.rules.models import Deviation, Group, Rule, SetRule, Severity
from armillary.headers.rules.sheet import Sheet, sexagesimal
from armillary.headers.rules.shots import SetCheck, Shot, by_camera
from armillary.headers.rules.target import dec_deg, target_of, wrap

Turn = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a value may be in its own unit, and how other units become that one."""

    keywords: tuple[str, ...]
    unit: str
    low: float
    high: float
    others: dict[str, Turn]
    family: bool = False
    """Whether the unit is that of the header service where none is declared (so only in headers of its kind)."""

    def possible(self, value: float) -> bool:
        """Tell whether there can be such a value."""
        return self.low <= value <= self.high


_SAME: dict[str, str] = {
    "mbar": "hPa",
    "hpa": "hPa",
    "pa": "Pa",
    "pascal": "Pa",
    "pascals": "Pa",
    "c": "C",
    "deg c": "C",
    "degc": "C",
    "celsius": "C",
    "deg_c": "C",
    "k": "K",
    "kelvin": "K",
    "percent": "%",
    "%": "%",
    "m/s": "m/s",
    "m / s": "m/s",
    "mm": "mm",
    "um": "um",
    "micron": "um",
    "microns": "um",
    "deg": "deg",
    "degrees": "deg",
    "arcsec": "arcsec",
    "rad": "rad",
    "s": "s",
    "sec": "s",
    "seconds": "s",
    "ms": "ms",
    "mmhg": "mmHg",
    "kpa": "kPa",
    "degrees c": "C",
    "m s-1": "m/s",
    "km/h": "km/h",
}
_CELSIUS: dict[str, Turn] = {"K": lambda v: v - 273.15, "F": lambda v: (v - 32) / 1.8}
QUANTITIES = (
    Quantity(
        ("PRESSURE",),
        "Pa",
        45e3,
        112e3,
        {"hPa": lambda v: v * 100, "kPa": lambda v: v * 1000, "mmHg": lambda v: v * 133.322},
        family=True,
    ),
    Quantity(
        ("AIRTEMP", "AMBTEMP", "TAMBIENT", "OUT_TEMP", "WMSTEMP"), "C", -60.0, 60.0, _CELSIUS, family=True
    ),
    Quantity(("CCDTEMP", "TEMP_SET", "CCDATEMP"), "C", -200.0, 60.0, _CELSIUS),
    Quantity(
        ("HUMIDITY", "WMSHUMID", "REL_HUMI"), "%", 0.5, 100.5, {"fraction": lambda v: v * 100}, family=True
    ),
    Quantity(("WINDSPD",), "m/s", 0.0, 75.0, {"km/h": lambda v: v / 3.6}, family=True),
    Quantity(("WINDDIR",), "deg", -180.0, 360.0, {}),
    Quantity(
        ("SEEING",), "arcsec", 0.05, 20.0, {"deg": lambda v: v * 3600, "mas": lambda v: v / 1000}, family=True
    ),
    Quantity(("FOCUSZ",), "mm", -30.0, 30.0, {"um": lambda v: v / 1000}, family=True),
    Quantity(("EXPTIME", "DARKTIME", "SHUTTIME"), "s", 0.0, 90000.0, {"ms": lambda v: v / 1000}),
    Quantity(("MONOWL",), "nm", 0.0, 1e5, {}),
    Quantity(("DOMEAZ", "AZSTART", "AZEND", "AZIMUTH"), "deg", -360.0, 540.0, {}),
)


def ranges(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find values that are impossible in their unit."""
    family = sheet.has("OBSID") and sheet.has("DAYOBS")
    for quantity in QUANTITIES:
        for keyword in quantity.keywords:
            number = sheet.number(keyword)
            if number is not None and (one := _judge(sheet, quantity, keyword, number, family)):
                yield one


def _judge(sheet: Sheet, quantity: Quantity, keyword: str, number: float, family: bool) -> Deviation | None:
    declared = _SAME.get(sheet.unit(keyword).lower(), "")
    if declared and declared != quantity.unit and declared not in quantity.others:
        return None
    turn = quantity.others.get(declared, float)
    if quantity.possible(turn(number)):
        return None
    tried = {quantity.unit: float, **quantity.others}
    fits = [name for name, other in tried.items() if name != declared and quantity.possible(other(number))]
    if not declared and fits and not (quantity.family and family):
        # Nothing is declared, and there is a unit in which it is possible.
        return None
    if number == 0.0 or abs(number) < 1e-45 or _sentinel(number):
        return None
    back = quantity.low if turn(number) < quantity.low else quantity.high
    unit = declared or quantity.unit
    hypothesis = f"{fits[0]} for {unit}" if fits else None
    return Deviation(
        keyword,
        f"{quantity.low:g} to {quantity.high:g} {quantity.unit}",
        number,
        round(turn(number) - back, 6),
        hypothesis,
        text=f"{keyword} is impossible in {unit}.",
        unit=quantity.unit,
        proposal=f"{keyword}={tried[fits[0]](number):.10g}" if fits else None,
    )


def _sentinel(number: float) -> bool:
    return number in (-1.0, -99.0, -999.0, -9999.0, 999.0, 9999.0, -99999.0)


def angles(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Try right ascension and declination in radians and hours where the hour angle does not fit degrees."""
    target, span = target_of(sheet), span_of(sheet)
    keyword = next(
        (
            one
            for one in ("HASTART", "HA")
            if sheet.number(one) is not None or sexagesimal(sheet.value(one)) is not None
        ),
        None,
    )
    ra, dec = sheet.number("RA"), dec_deg(sheet, "DEC")
    if (
        keyword is None
        or target is None
        or span.begin is None
        or ra is None
        or dec is None
        or not sheet.sidereal
    ):
        return
    readings = [value for value, unit in hour_angle_readings(sheet, keyword) if not unit]
    # A degree is wide enough for frames and lost seconds, and leaves one chance in a hundred.
    if any(_near(value, target.sidereal_deg - ra, tolerance) for value in readings):
        return
    for name, turned, possible in (
        ("radians for degrees", math.degrees(ra), abs(ra) <= 2 * math.pi and abs(dec) <= math.pi / 2),
        ("hours for degrees", ra * 15.0, 0 <= ra < 24),
    ):
        fits = possible and any(_near(value, target.sidereal_deg - turned, tolerance) for value in readings)
        if fits:
            yield Deviation(
                "RA, DEC", round(turned, 6), ra, round(wrap(ra - turned), 4), name, proposal=f"RA={turned!r}"
            )
            return


def _near(a: float, b: float, limit: float) -> bool:
    return abs(wrap(a - b)) <= limit


_STEADY = ("PRESSURE", "HUMIDITY", "FOCUSZ", "SEEING", "WINDSPD")
_FACTORS = (
    (1000.0, "a thousandfold"),
    (100.0, "a hundredfold"),
    (0.01, "a hundredth"),
    (0.001, "a thousandth"),
)
_ENOUGH = 5


def _neighbours(shots: Sequence[Shot], tolerance: float) -> Iterator[tuple[str, Deviation]]:
    """Find values that are a hundred or a thousand times those of all others."""
    for group in by_camera(shots):
        for keyword in _STEADY:
            held = [(one, value) for one in group if (value := one.sheet.number(keyword)) and value > 0]
            if len(held) < _ENOUGH:
                continue
            middle = statistics.median(value for _, value in held)
            odd = [(one, value) for one, value in held if not 0.2 < value / middle < 5.0]
            if len(odd) > len(held) // 5 or keyword == "EXPTIME":
                continue
            for one, value in odd:
                for factor, name in _FACTORS:
                    if abs(value / middle / factor - 1) < tolerance:
                        yield (
                            one.sheet.file,
                            Deviation(
                                keyword,
                                middle,
                                value,
                                round(value / middle, 6),
                                f"{name} of the others: another unit",
                            ),
                        )
                        break
        yield from _kelvins(group)


def _kelvins(group: Sequence[Shot]) -> Iterator[tuple[str, Deviation]]:
    held = [(one, value) for one in group if (value := one.sheet.number("AIRTEMP")) is not None]
    if len(held) < _ENOUGH:
        return
    middle = statistics.median(value for _, value in held)
    for one, value in held:
        if abs(abs(value - middle) - 273.15) < 25.0:
            yield (
                one.sheet.file,
                Deviation(
                    "AIRTEMP",
                    middle,
                    value,
                    round(value - middle, 3),
                    "K among C" if value > middle else "C among K",
                    unit="",
                ),
            )


RULES = (
    Rule(
        "units-range",
        Group.UNITS,
        Severity.ERROR,
        "PRESSURE, AIRTEMP, CCDTEMP, HUMIDITY, WINDSPD, WINDDIR, SEEING, FOCUSZ, EXPTIME, DARKTIME, MONOWL ...",
        "the value is possible in its unit",
        "The value is impossible in its unit.",
        ranges,
        tolerance=0.0,
        unit="",
        hypotheses=(
            "hPa, kPa or mmHg for Pa",
            "K or F for C",
            "fraction for %",
            "um for mm",
            "ms for s",
            "deg or mas for arcsec",
        ),
    ),
    Rule(
        "units-angle",
        Group.UNITS,
        Severity.ERROR,
        "RA, DEC, HASTART, HA, DATE-BEG, site",
        "HA = LAST - RA within a degree",
        "Right ascension fits the hour angle in another unit.",
        angles,
        tolerance=1.0,
        unit="deg",
        hypotheses=("radians for degrees", "hours for degrees"),
    ),
)
SET_CHECKS: tuple[SetCheck, ...] = (
    (
        SetRule(
            "units-neighbours",
            Group.UNITS,
            Severity.WARNING,
            "PRESSURE, HUMIDITY, FOCUSZ, SEEING, WINDSPD, AIRTEMP",
            "values of one instrument are of one unit",
            "The value is in another unit than that of the others.",
            tolerance=0.3,
            unit="",
            hypotheses=("a hundred or a thousand", "K and C"),
        ),
        _neighbours,
    ),
)
