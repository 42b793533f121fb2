"""Settings of cubes of solar telescopes."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

_ADDRESS = re.compile(r"https?://[^/?#@\s]+(?:[/?][^#\s]*)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def _usable(source: str) -> str:
    if _SCHEME.match(source) and not _ADDRESS.fullmatch(source):
        raise ValueError(f"'{source}' is no address: it begins with https:// or http://, and names no user")
    if not source.strip():
        raise ValueError("name an address or a file; leave the vocabulary out if there is none")
    return source


Source = Annotated[str, AfterValidator(_usable)]


class SstSettings(BaseModel):
    """What cubes of solar telescopes are."""

    instruments: list[str] = Field(
        ["CHROMIS", "CRISP", "TRIPPEL", "MIHI", "HeSP"],
        description="Instruments of which cubes are taken in, as INSTRUME calls them; empty: all.",
    )
    strangers: Literal["metadata", "hidden"] = Field(
        "metadata", description="What strangers are told of a cube before its release."
    )
    swedish_group: str = Field(
        "", description="Group that may read a cube early if its order says `swedish_data`; empty: none."
    )
    vocabularies: dict[Literal["FEATURES", "EVENTS"], Source] = Field(
        {},
        description="Address or file of the terms that a keyword may hold, one in each line, by the keyword;"
        " JSON in the environment.",
    )
    vocabulary_timeout_s: float = Field(
        10.0, gt=0, le=300, description="Longest time that reading a vocabulary takes."
    )
    vocabulary_refresh_s: float = Field(
        3600.0, ge=1, description="Time after which the address of a vocabulary is asked for news."
    )
