"""Settings of cubes of solar telescopes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class SstSettings(BaseModel):
    """What cubes of solar telescopes are."""

    instruments: list[str] = Field(
        ["CHROMIS", "CRISP", "TRIPPEL", "MIHI", "HeSP"],
        description="Instruments of which cubes are taken in, as INSTRUME calls them; empty: all.",
    )
    strangers: Literal["metadata", "hidden"] = Field(
        "metadata", description="What strangers are told of a cube before its release."
    )
