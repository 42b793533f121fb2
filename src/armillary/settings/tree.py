"""The whole tree of settings, and where it comes from."""

from __future__ import annotations

import errno
from pathlib import Path

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from armillary.settings.access import AccessSettings
from armillary.settings.archive import ArchiveSettings
from armillary.settings.auth import AuthSettings
from armillary.settings.bus import BusSettings
from armillary.settings.console import ConsoleSettings
from armillary.settings.database import DatabaseSettings
from armillary.settings.edits import EditSettings
from armillary.settings.exports import ExportSettings
from armillary.settings.headers import HeaderSettings
from armillary.settings.ingestion import IngestionSettings
from armillary.settings.limits import LimitSettings
from armillary.settings.operations import BackupSettings, LogSettings, RetentionSettings
from armillary.settings.photon_ranch import PhotonRanchSettings
from armillary.settings.pipe import PipeSettings
from armillary.settings.rooms import RoomSettings
from armillary.settings.sst import SstSettings
from armillary.settings.svo import SvoSettings
from armillary.settings.work import WorkSettings


class Settings(BaseSettings):
    """The whole tree; `ARMILLARY_WORK__WORKERS=4` sets `work.workers`."""

    model_config = SettingsConfigDict(
        env_prefix="ARMILLARY_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Field(Path("armillary-data"), description="Directory that holds all state.")
    config: Path | None = Field(
        None, description="File of settings, from the environment; empty: `armillary.toml` in the directory."
    )
    database: DatabaseSettings = DatabaseSettings()
    work: WorkSettings = WorkSettings()
    edits: EditSettings = EditSettings()
    archive: ArchiveSettings = ArchiveSettings()
    access: AccessSettings = AccessSettings()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    backup: BackupSettings = BackupSettings()
    logs: LogSettings = LogSettings()
    exports: ExportSettings = ExportSettings()
    photon_ranch: PhotonRanchSettings = PhotonRanchSettings()
    rooms: RoomSettings = RoomSettings()
    pipe: PipeSettings = PipeSettings()
    bus: BusSettings = BusSettings()
    headers: HeaderSettings = HeaderSettings()
    console: ConsoleSettings = ConsoleSettings()
    auth: AuthSettings = AuthSettings()
    ingestion: IngestionSettings = IngestionSettings()
    sst: SstSettings = SstSettings()
    svo: SvoSettings = SvoSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let arguments win over the environment, and that over `armillary.toml` in the data directory.

        The web process may read neither that file nor its directory: it has another file.
        """
        data = Path(str(init_settings().get("data") or env_settings().get("data") or "armillary-data"))
        config = env_settings().get("config")
        if config and not Path(config).is_file():
            raise FileNotFoundError(errno.ENOENT, "the file of ARMILLARY_CONFIG does not exist", config)
        toml = TomlConfigSettingsSource(settings_cls, toml_file=config or data / "armillary.toml")
        return init_settings, env_settings, toml
