"""Every knob of Armillary in one typed tree: environment, then a TOML file, then the defaults here."""

from armillary.settings.access import AccessSettings
from armillary.settings.archive import ArchiveSettings
from armillary.settings.auth import AuthSettings
from armillary.settings.bus import BusSettings
from armillary.settings.console import ConsoleSettings
from armillary.settings.database import DatabaseSettings
from armillary.settings.edits import EditSettings
from armillary.settings.exports import DestinationSettings, ExportSettings
from armillary.settings.headers import HeaderSettings
from armillary.settings.ingestion import IngestionSettings
from armillary.settings.limits import LimitSettings
from armillary.settings.operations import BackupSettings, LogSettings, RetentionSettings
from armillary.settings.photon_ranch import PhotonRanchSettings
from armillary.settings.pipe import PipeSettings
from armillary.settings.rooms import RoomSettings
from armillary.settings.sst import SstSettings
from armillary.settings.svo import SvoSettings
from armillary.settings.tree import Settings
from armillary.settings.work import WorkSettings

__all__ = [
    "AccessSettings",
    "ArchiveSettings",
    "AuthSettings",
    "BackupSettings",
    "BusSettings",
    "ConsoleSettings",
    "DatabaseSettings",
    "DestinationSettings",
    "EditSettings",
    "ExportSettings",
    "HeaderSettings",
    "IngestionSettings",
    "LimitSettings",
    "LogSettings",
    "PhotonRanchSettings",
    "PipeSettings",
    "RetentionSettings",
    "RoomSettings",
    "Settings",
    "SstSettings",
    "SvoSettings",
    "WorkSettings",
]
