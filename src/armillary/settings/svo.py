"""Settings of what is published in the SOLARNET Virtual Observatory."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

PARTS = ("public", "name", "path", "date", "instrument", "oid")


def _usable(template: str) -> str:
    values = dict.fromkeys(PARTS, "x") | {"date": date(2026, 1, 1)}
    try:
        template.format(**values)
    except (LookupError, ValueError, AttributeError, TypeError):
        words = ", ".join(f"{{{one}}}" for one in PARTS)
        raise ValueError(f"'{template}' is no template: only {words} may stand in it") from None
    return template


def _duration(said: object) -> object:
    """Return a number of seconds that came as text, as from the environment, as a number."""
    return float(said) if isinstance(said, str) and said.replace(".", "", 1).isdecimal() else said


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
Template = Annotated[str, AfterValidator(_usable)]
Address = Annotated[str, Field(pattern=r"^$|^https?://[^/?#@\s]+[^?#@\s]*$")]


class SvoSettings(BaseModel):
    """What goes to the SOLARNET Virtual Observatory; who may write there stands elsewhere."""

    url: Address = Field("", description="Base URL of its service; SVO_API_URL in the environment wins.")
    datasets: dict[str, str] = Field(
        {}, description="Dataset there by instrument here, as INSTRUME says it; JSON in the environment."
    )
    public_url: Address = Field("", description="Address of this archive in the file URLs of records.")
    file_url: Template = Field(
        "{public}/download/{name}",
        description="File URL of a record: `{public}` is `svo.public_url`, `{name}` the name on disk, `{path}` the"
        " path below the root with it; encoded as URLs are.",
    )
    file_path: Template = Field(
        "{date}/{instrument}/{name}",
        description="File path of a record: `{date}` is the day of its begin, `{instrument}` in capitals.",
    )
    thumbnail_url: Template | None = Field(
        None, description="Thumbnail URL of a record whose file is public; empty: none."
    )
    publish: bool = Field(
        False, description="Send what was ingested, edited or released by itself, as it happens."
    )
    tags: bool = Field(False, description="Send the words of FEATURES and EVENTS as tags.")
    update_existing: bool = Field(
        False, description="A sync changes records that differ, too, unless the command says otherwise."
    )
    sync_every: Duration | None = Field(
        None, description="Time between two syncs, in seconds or as `PT6H`; empty: none happens by itself."
    )
    timeout_s: float = Field(60.0, gt=0, description="Longest wait for an answer.")
    retry_first_s: float = Field(2.0, gt=0, description="Delay before a request is sent again; it doubles.")
    retry_last_s: float = Field(
        300.0, gt=0, description="Longest delay; of requests in a running command a tenth of it."
    )
    key_file: Path | None = Field(
        None, description="File with a line `username:api_key`; the environment wins. Others may not read it."
    )
