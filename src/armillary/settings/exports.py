"""Other servers that are sent files."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from armillary.settings.forms import SecretSource


def _usable_path(template: str) -> str:
    try:
        template.format(path="", date=date(2026, 1, 1))
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(
            f"'{template}' is no path: only {{path}} and {{date:%Y%m%d}} may stand in it"
        ) from None
    return template


class DestinationSettings(BaseModel):
    """Another server that is sent new and edited files; secrets are named here, and kept elsewhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="Short name of the destination.")
    url: str = Field(pattern=r"^https?://[^/?#@]+[^?#@]*$", description="Address without a path of ours.")
    pattern: str = Field(
        "*", description="Which files go there: a glob on PATH/NAME, as `raw/*` or `N2026*`."
    )
    path: Annotated[str, AfterValidator(_usable_path)] = Field(
        "{path}",
        description="Where they go: `{path}` is the path here, `{date:%Y%m%d}` the date of the file.",
    )
    upload_secret: SecretSource = Field(
        "", description="Where the cookie for uploads is: `file:PATH` or `env:VARIABLE`."
    )
    edit_secret: SecretSource = Field(
        "", description="Where the cookie for header updates is; empty: files are always sent whole."
    )
    mutual: bool = Field(
        False, description="That server exports to this one, too: of two changes the later one wins."
    )
    proxy: str | None = Field(None, description="HTTP proxy on the way there; the environment is not asked.")


def _named_once(given: tuple[DestinationSettings, ...]) -> tuple[DestinationSettings, ...]:
    names = [one.name for one in given]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two destinations are named '{twice[0]}'; give each its own name")
    return given


class ExportSettings(BaseModel):
    """Copies of files on other servers."""

    destinations: Annotated[tuple[DestinationSettings, ...], AfterValidator(_named_once)] = Field(
        (), description="Servers that are sent new and edited files; JSON in the environment."
    )
    parallel: int = Field(2, ge=1, description="Exports to one destination at once, per worker process.")
    look_s: float = Field(10.0, gt=0, description="Longest wait for what a destination says it has.")
    upload_s: float = Field(120.0, gt=0, description="Longest silence of a destination during an upload.")
    follow_s: float = Field(600.0, gt=0, description="Longest wait for the end of a header update there.")
    pending_s: float = Field(40.0, gt=0, description="Pause while a destination works on the file.")
    away_s: float = Field(300.0, gt=0, description="Pause of all exports to a destination that fails.")
    retry_first_s: float = Field(60.0, gt=0, description="Delay of a failed export; it doubles.")
    retry_last_s: float = Field(21_600.0, gt=0, description="Longest delay of a failed export.")
