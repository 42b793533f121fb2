"""Every knob of Armillary in one typed tree: environment, then a TOML file, then the defaults here."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

MIB = 1 << 20


class DatabaseSettings(BaseModel):
    """Where PostgreSQL is."""

    url: str | None = Field(None, description="DSN of an external PostgreSQL >= 15; empty: the embedded one.")
    web_url: str | None = Field(None, description="DSN of the web role there; empty: as `url`.")
    account: str = Field(
        "armillary", description="System account of the embedded server when started by root."
    )
    pool_size: int = Field(8, ge=1, description="Connections per process.")


class WorkSettings(BaseModel):
    """The queue of background work."""

    workers: int = Field(2, ge=1, description="Worker processes that `armillary up` starts.")
    lease_s: float = Field(60.0, gt=0, description="Seconds a claimed order belongs to its worker.")
    poll_s: float = Field(
        30.0, gt=0, description="Seconds between looks at the queue without a notification."
    )
    max_attempts: int = Field(5, ge=1, description="Attempts before an order fails for good.")
    retry_first_s: float = Field(1.0, gt=0, description="Delay before the second attempt; it doubles.")
    retry_last_s: float = Field(300.0, gt=0, description="Longest delay between attempts.")
    keep_days: float = Field(7.0, gt=0, description="Days that finished orders are kept.")


class EditSettings(BaseModel):
    """Limits of header updates."""

    max_body: int = Field(8 * MIB, description="Bytes of one request.")
    max_items: int = Field(10_000, description="Items of one request.")
    max_cards: int = Field(500, description="Cards of one item.")
    max_string: int = Field(1000, description="Characters of one value.")
    max_wait_s: float = Field(60.0, description="Longest ?wait= of a status request.")
    idempotency_h: float = Field(24.0, description="Hours that an idempotency key is remembered.")
    protected: tuple[str, ...] = Field((), description="Keywords protected here besides the structural ones.")
    prefer_raw: bool = Field(False, description="A data label of several files means its single RAW file.")


class ArchiveSettings(BaseModel):
    """What is taken in, and how."""

    site: str = Field("", description="Site of files whose headers do not say.")
    quiet_s: float = Field(
        5.0, ge=0, description="Seconds a file must rest before a watched folder takes it in."
    )
    max_header: int = Field(64 * MIB, description="Bytes of headers accepted in one file.")
    max_upload: int = Field(16 << 30, description="Bytes of one uploaded file.")
    preview_px: int = Field(1024, description="Long side of a preview, pixels.")
    profiles: Path | None = Field(None, description="Directory of additional instrument profiles (TOML).")
    summit: bool = Field(False, description="Bare dates in selections are nights, as at a telescope.")
    lenient: bool = Field(
        False, description="Leave unknown selectors out and say so in a header, instead of refusing them."
    )
    open_limit: int = Field(
        500, ge=1, description="Rows of a list whose selection names no date, id or file name."
    )
    closed_limit: int = Field(2000, ge=1, description="Rows of any other list.")
    max_bundle: int = Field(2000, ge=1, description="Files of one tar download.")


class Settings(BaseSettings):
    """The whole tree; `ARMILLARY_WORK__WORKERS=4` sets `work.workers`."""

    model_config = SettingsConfigDict(
        env_prefix="ARMILLARY_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Field(Path("armillary-data"), description="Directory that holds all state.")
    database: DatabaseSettings = DatabaseSettings()
    work: WorkSettings = WorkSettings()
    edits: EditSettings = EditSettings()
    archive: ArchiveSettings = ArchiveSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let arguments win over the environment, and that over `armillary.toml` in the data directory."""
        data = Path(str(init_settings().get("data") or env_settings().get("data") or "armillary-data"))
        toml = TomlConfigSettingsSource(settings_cls, toml_file=data / "armillary.toml")
        return init_settings, env_settings, toml
