"""Words from closed lists, and values that stand in the wrong card."""

from __future__ import annotations

import re
from collections.abc import Iterator

from armillary.headers.rules.models import Deviation, Group, Rule, Severity
from armillary.headers.rules.sheet import Sheet

_IMAGES = frozenset(
    {
        "BIAS",
        "DARK",
        "FLAT",
        "OBJECT",
        "SKYEXP",
        "SCIENCE",
        "ACQ",
        "CWFS",
        "FOCUS",
        "SPOT",
        "PPUMP",
        "ENGTEST",
        "STUTTERED",
    }
    | {
        "SFLAT",
        "DOMEFLAT",
        "SKYFLAT",
        "TWIFLAT",
        "ARC",
        "COMP",
        "SPECTRUM",
        "STANDARD",
        "TEST",
        "EXPOSE",
        "UNKNOWN",
        "LIGHT",
    }
    | {"DFLAT", "FE55", "SCAN", "TRAP", "PDF", "PEN", "ACQUISITION", "INDOME"}
)
_FRAMES = frozenset({"ICRS", "FK5", "FK4", "FK4-NO-E", "GAPPT"})
_TRACKING = frozenset(
    {
        "RADEC",
        "AZEL",
        "LOCAL",
        "SIDEREAL",
        "NONSIDEREAL",
        "NON-SIDEREAL",
        "EPHEMERIS",
        "PLANET",
        "SUN",
        "MOON",
        "NONE",
        "STOPPED",
    }
    | {"TARGET", "AZALT", "ALTAZ", "PARKED"}
)
_SCALES = frozenset(
    {"UTC", "UT", "UT1", "TAI", "IAT", "TT", "TDT", "ET", "TDB", "TCG", "TCB", "GPS", "LOCAL", "GMT"}
)
_ROTATIONS = frozenset(
    {"SKY", "PARALLACTIC", "MOUNT", "HORIZON", "CAMERA", "TELESCOPE", "DOME", "PHYSICAL_SKY", "PHYSICALSKY"}
)
_LISTS = (
    ("IMGTYPE", _IMAGES, "the kind of image"),
    ("RADESYS", _FRAMES, "the frame of the sky (FITS 4.0, section 8.3)"),
    ("RADECSYS", _FRAMES, "the frame of the sky (FITS 4.0, section 8.3)"),
    ("TRACKSYS", _TRACKING, "the system of tracking"),
    ("TIMESYS", _SCALES, "the time scale (FITS 4.0, section 9.2.1)"),
    ("ROTCOORD", _ROTATIONS, "the system of rotation"),
)
_REALISATION = re.compile(r"\s*\(.*\)\s*$")
_PREFIX = re.compile(r"([A-Za-z]{2,12}):\S")


def lists(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find words that are not on the list of their card."""
    for keyword, known, what in _LISTS:
        value = sheet.value(keyword)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        word = _REALISATION.sub("", str(value)).strip().upper()
        if word in known or (isinstance(value, str) and word == "NAN"):
            continue
        elsewhere = next((other for other, theirs, _ in _LISTS if other != keyword and word in theirs), None)
        near = next(
            (one for one in sorted(known) if one.replace("-", "") == word.replace("-", "").replace(" ", "")),
            None,
        )
        hypothesis = f"a value of {elsewhere}" if elsewhere else f"{near}, spelt otherwise" if near else None
        yield Deviation(
            keyword,
            ", ".join(sorted(known)),
            value,
            None,
            hypothesis,
            f"{keyword} is not known as {what}.",
            proposal=f"{keyword}={near}" if near else None,
            severity=Severity.WARNING if keyword != "IMGTYPE" or elsewhere else Severity.NOTE,
        )


def objects(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find names of targets that are kinds of images or carry a prefix of a program."""
    name, kind = sheet.text("OBJECT"), sheet.word("IMGTYPE")
    if not name or kind not in ("OBJECT", "SKYEXP", "SCIENCE", "ACQ", "CWFS", "FOCUS", "ENGTEST"):
        return
    if name.upper() in ("BIAS", "DARK", "FLAT", "DOMEFLAT", "SKYFLAT"):
        yield Deviation(
            "OBJECT, IMGTYPE", f"a target, or IMGTYPE {name.upper()}", name, None, "a value of IMGTYPE"
        )
    elif found := _PREFIX.match(name):
        yield Deviation(
            "OBJECT",
            name[len(found[1]) + 1 :].strip(),
            name,
            None,
            f"the prefix {found[1]}:",
            "The name of the target begins with a prefix of a program.",
            severity=Severity.NOTE,
            proposal=f"OBJECT='{name[len(found[1]) + 1 :].strip()}'",
        )


RULES = (
    Rule(
        "vocabulary-word",
        Group.VOCABULARY,
        Severity.WARNING,
        "IMGTYPE, RADESYS, RADECSYS, TRACKSYS, TIMESYS, ROTCOORD",
        "the word is on the list of its card",
        "The word is not known.",
        lists,
        tolerance=0.0,
        unit="",
        hypotheses=("a value of another card", "another spelling"),
    ),
    Rule(
        "vocabulary-object",
        Group.VOCABULARY,
        Severity.WARNING,
        "OBJECT, IMGTYPE",
        "OBJECT names a target",
        "The name of the target is a kind of image.",
        objects,
        tolerance=0.0,
        unit="",
        hypotheses=("a value of IMGTYPE", "a prefix"),
    ),
)
