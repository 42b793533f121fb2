"""The words that stand for themselves, and what each of them selects."""

from __future__ import annotations

from collections.abc import Iterable

from armillary.archive.query.models import Among, Anything, Differs, Flag, Nothing, Starts, Term

Words = dict[str, tuple[Term, ...]]

INSTRUMENTS = [
    "NIRI",
    "NIFS",
    "GMOS-N",
    "GMOS-S",
    "michelle",
    "GNIRS",
    "GHOST",
    "PHOENIX",
    "TEXES",
    "TReCS",
    "NICI",
    "IGRINS",
    "IGRINS-2",
    "GSAOI",
    "OSCIR",
    "F2",
    "GPI",
    "ABU",
    "bHROS",
    "hrwfs",
    "FLAMINGOS",
    "CIRPASS",
    "GRACES",
    "ALOPEKE",
    "ZORRO",
    "MAROON-X",
    "Hokupaa+QUIRC",
]
TYPES = [
    "DARK",
    "ARC",
    "FLAT",
    "BIAS",
    "OBJECT",
    "PINHOLE",
    "RONCHI",
    "CAL",
    "FRINGE",
    "MASK",
    "STANDARD",
    "SLITILLUM",
    "BPM",
]
CLASSES = ["dayCal", "partnerCal", "acqCal", "acq", "science", "progCal"]
PRODUCTS = [
    "FLAT",
    "BIAS",
    "FRINGE",
    "ARC",
    "DARK",
    "TELLURIC",
    "SCIENCE",
    "BPM",
    "STANDARD",
    "SLITILLUM",
    "PINHOLE",
    "UNKNOWN",
]
SPEEDS = ["fast", "medium", "slow"]
READ_MODES = [
    "Classic",
    "Faint",
    "Faint_Object",
    "Faint_Objects",
    "Very_Faint_Objects",
    "Medium",
    "Medium_Object",
    "Bright",
    "Bright_Object",
    "Bright_Objects",
    "Very_Bright_Objects",
    "Low_Background",
    "Medium_Background",
    "High_Background",
]
MASKS = [
    "NS2.0arcsec",
    "NS1.5arcsec",
    "NS1.0arcsec",
    "NS0.75arcsec",
    "IFU-R",
    "IFU-B",
    "IFU-2",
    "focus_array_new",
    "0.5arcsec",
    "0.75arcsec",
    "1.0arcsec",
    "1.5arcsec",
    "2.0arcsec",
    "5.0arcsec",
]
REGIONS = {
    "fullframe": ("Full Frame", "Fixed"),
    "centralstamp": ("Central Stamp",),
    "centralspectrum": ("Central Spectrum",),
    "central768": ("Central768",),
    "central512": ("Central512",),
    "central256": ("Central256",),
    "custom": ("Custom",),
}


def _each(field: str, values: Iterable[str]) -> Words:
    return {value: (Among(field, (value,)),) for value in values}


def spelt(value: str) -> tuple[str, ...]:
    """Return the spellings of a setting that URLs write with underscores and headers with blanks."""
    return tuple(dict.fromkeys((value, value.replace("_", " "))))


def _quality() -> Words:
    return {
        **{word: (Among("qa_state", (word,)),) for word in ("Pass", "Usable", "Fail", "CHECK")},
        "UndefinedQA": (Among("qa_state", ("Undefined",)),),
        "AnyQA": (Anything("qa_state"),),
        "Win": (Among("qa_state", ("Pass", "Usable")),),
        "NotFail": (Differs("qa_state", "Fail"),),
        "Lucky": (Among("qa_state", ("Pass", "Undefined")),),
    }


def _booleans() -> Words:
    flags = {
        "present": "present",
        "Present": "present",
        "canonical": "canonical",
        "Canonical": "canonical",
        "engineering": "engineering",
        "science_verification": "science_verification",
        "calprog": "calibration_program",
        "site_monitoring": "site_monitoring",
    }
    words: Words = {}
    for word, field in flags.items():
        negation = f"Not{word}" if word[0].isupper() else f"not{word}"
        words |= {word: (Flag(field, True),), negation: (Flag(field, False),)}
    return words | {
        "not_site_monitoring": (Flag("site_monitoring", False),),
        "includeengineering": (Anything("engineering"),),
        "imaging": (Flag("spectroscopy", False),),
        "spectroscopy": (Flag("spectroscopy", True),),
        "photstandard": (Nothing("the catalog knows of no photometric standards"),),
        "mdgood": (Flag("mdready", True),),
        "mdbad": (Flag("mdready", False),),
    }


def _modes() -> Words:
    modes: Words = {
        mode: (Among("mode", (mode,)), Flag("spectroscopy", True)) for mode in ("LS", "MOS", "IFS")
    }
    assisted, adaptive = "laser_guide_star", Flag("adaptive_optics", True)
    return modes | {
        "AO": (adaptive,),
        "NOTAO": (Flag("adaptive_optics", False),),
        "NOAO": (Flag("adaptive_optics", False),),
        "LGS": (Flag(assisted, True), adaptive),
        "NGS": (Flag(assisted, False), adaptive),
    }


def _calibrations() -> Words:
    """Return the types of calibration, as far as the catalog can tell them."""
    types = ["bias", "dark", "flat", "arc", "pinhole", "mask", "slitillum", "fringe", "bpm"]
    spectra, images = Flag("spectroscopy", True), Flag("spectroscopy", False)
    standard = (
        Among("observation_type", ("OBJECT", "STANDARD")),
        Among("observation_class", ("partnerCal", "progCal")),
    )
    products = ["bias", "dark", "flat", "arc", "fringe", "pinhole", "standard", "slitillum", "bpm"]
    return {
        **{one: (Among("observation_type", (one.upper(),)),) for one in types},
        **{f"processed_{one}": (Among("reduction", (f"PROCESSED_{one.upper()}",)),) for one in products},
        "ronchi_mask": (Among("observation_type", ("RONCHI",)),),
        "spectwilight": (Among("object", ("Twilight",)), spectra),
        "domeflat": (Among("object", ("Domeflat",)),),
        "qh_flat": (Among("observation_type", ("FLAT",)), Starts("gcal_lamp", ("QH",))),
        "specphot": (*standard, spectra),
        "telluric_standard": (*standard, spectra),
        "photometric_standard": (*standard, images),
    }


def _settings() -> Words:
    both = [f"red:{red},blue:{blue}" for red in SPEEDS for blue in SPEEDS]
    modes: Words = {one: (Among("readmode_setting", spelt(one)),) for one in READ_MODES}
    return {
        **_each("readspeed_setting", [*SPEEDS, *both]),
        # Old GHOST data know a standard read speed too; the word has always meant the gain.
        **_each("gain_setting", ("high", "low", "standard")),
        **_each("welldepth_setting", ("Shallow", "Deep", "Invalid")),
        **modes,
        "NodAndShuffle": (Among("readmode_setting", ("NodAndShuffle", "Nod and Shuffle")),),
        **_each("focal_plane_mask", MASKS),
        "Imaging": (Among("focal_plane_mask", ("Imaging", "None")),),
    }


WORDS: Words = {
    **_settings(),
    **_calibrations(),
    **_each("observation_type", TYPES),
    **_each("observation_class", CLASSES),
    **_each("processing", ("Raw", "Quick-Look", "Science-Quality", "Failed")),
    **_each("reduction", ("RAW", "PREPARED", *(f"PROCESSED_{one}" for one in PRODUCTS))),
    **_modes(),
    **_booleans(),
    **_quality(),
}
"""Words that count in exactly this case."""

_ALIASES = {"F2": ("F2", "FLAMINGOS-2", "Flamingos2")}

FOLDED: Words = {
    **{one.lower(): (Among("instrument", _ALIASES.get(one, (one,))),) for one in INSTRUMENTS},
    "gmos": (Among("instrument", ("GMOS-N", "GMOS-S")),),
    **{word: (Among("roi_setting", values),) for word, values in REGIONS.items()},
    "twilight": (Among("object", ("Twilight",)),),
    "nottwilight": (Differs("object", "Twilight"),),
    "preimage": (Flag("preimage", True),),
    "notpreimage": (Flag("preimage", False),),
}
"""Words that count in any case, in lower case."""

TELESCOPES = {"gemininorth": "Gemini-North", "geminisouth": "Gemini-South"}
"""Telescopes in lower case without hyphens and underscores."""
