"""Settings of ingestion roots, whose files are taken in one by one, by orders with steps."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field


class IngestionSettings(BaseModel):
    """Which directories are ingestion roots, and what their files are."""

    roots: dict[str, Path] = Field(
        {},
        description="Directories by the names that requests call them by; the first is meant where none is"
        " named. JSON in the environment.",
    )
    profile: Literal["sst"] = Field(
        "sst", description="What the files are: `sst`, cubes of solar telescopes by the SOLARNET conventions."
    )
    watched: bool = Field(True, description="Take new files of the roots in by themselves.")
    wait_s: float = Field(
        30.0, ge=0, le=600, description="Longest time that a request in the mode `sync` waits for its order."
    )
