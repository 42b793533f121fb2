"""Headers of exposures."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class HeaderSettings(BaseModel):
    """Headers of exposures, built from telemetry."""

    directory: Path | None = Field(
        None,
        description="Directory with the configurations of instruments (`instruments`, `templates`, `catalog`);"
        " empty: `headers` in the data directory.",
    )
    annex: str = Field(
        "",
        pattern=r"^$|^/.*|^[a-z][a-z0-9+.-]*://.+",
        description="Where header files are stored as objects: an absolute path or a URL; empty: `annex` in the"
        " data directory.",
    )
    late_s: float = Field(
        5.0,
        gt=0,
        description="Seconds after a late sample until the headers that it concerns are looked at again, since"
        " others may follow it.",
    )
    retry_first_s: float = Field(
        2.0,
        gt=0,
        description="Delay before an object that could not be stored, or a merge that did not come about, is"
        " tried again; it doubles.",
    )
    retry_last_s: float = Field(300.0, gt=0, description="Longest delay between these attempts.")

    def at(self, data: Path) -> Path:
        """Return the directory of configurations of an archive."""
        return self.directory or data / "headers"

    def annex_of(self, data: Path) -> str:
        """Return the URL of the annex of an archive."""
        if self.annex and not self.annex.startswith("/"):
            return self.annex
        return (Path(self.annex) if self.annex else data.resolve() / "annex").as_uri()
