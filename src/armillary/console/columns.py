"""The columns of tables of frames: which there are, what they are called, how their values are shown."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.archive.fields import BY_NAME, HOT

DEFAULT = (
    "night",
    "started_at",
    "instrument",
    "observation_type",
    "object",
    "filter",
    "exposure_s",
    "program",
    "qa_state",
)
_LABELS = {
    "started_at": "Start",
    "ended_at": "End",
    "exposure_s": "Exposure",
    "ra_deg": "RA",
    "dec_deg": "Dec",
    "observation_type": "Type",
    "observation_class": "Class",
    "observation_id": "Observation",
    "data_label": "Label",
    "qa_state": "QA",
    "raw_iq": "IQ",
    "raw_cc": "CC",
    "raw_wv": "WV",
    "raw_bg": "BG",
    "file_size": "Size",
    "file_md5": "MD5",
    "lastmod": "Modified",
    "entrytime": "Taken in",
    "proprietary_coordinates": "Position proprietary",
    "release": "Public from",
}
_KINDS = {"file_size": "size", "lastmod": "instant", "entrytime": "instant", "ra_deg": "ra", "dec_deg": "dec"}
_OF_FILES = ("path", "file_size", "file_md5", "lastmod", "entrytime")
NUMBERS = frozenset({"number", "count", "percentile", "size", "ra", "dec"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the field that it shows, its heading, and the kind of its values."""

    name: str
    label: str
    kind: str
    unit: str = ""

    @property
    def is_number(self) -> bool:
        """Whether values stand at the right."""
        return self.kind in NUMBERS


def _column(name: str) -> Column:
    field = BY_NAME.get(name)
    label = _LABELS.get(name) or name.replace("_", " ").capitalize()
    kind = _KINDS.get(name) or (field.kind if field else "text")
    unit = field.unit if field and kind not in ("ra", "dec") else ""
    return Column(name, label, kind, unit)


COLUMNS = {name: _column(name) for name in dict.fromkeys((*DEFAULT, *(one.name for one in HOT), *_OF_FILES))}
"""All of them in the order in which tables have them: first those that are shown by default."""


def chosen(text: str | None) -> list[Column]:
    """Return the columns that are named, with commas between, in the order of all; names of none do not count."""
    wanted = set(text.split(",")) if text else set(DEFAULT)
    found = [column for name, column in COLUMNS.items() if name in wanted]
    return found or [COLUMNS[name] for name in DEFAULT]


def unknown(text: str | None) -> list[str]:
    """Return the names that are none of columns."""
    return sorted({one for one in (text or "").split(",") if one} - COLUMNS.keys())
