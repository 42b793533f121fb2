"""Every knob of Armillary in one typed tree: environment, then a TOML file, then the defaults here."""

from __future__ import annotations

import errno
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from armillary.auth_settings import AuthSettings

MIB = 1 << 20


class DatabaseSettings(BaseModel):
    """Where PostgreSQL is."""

    url: str | None = Field(None, description="DSN of an external PostgreSQL >= 15; empty: the embedded one.")
    web_url: str | None = Field(None, description="DSN of the web role there; empty: as `url`.")
    web_account: str | None = Field(
        None,
        pattern=r"^[a-z_][a-z0-9_.-]*$",
        description="System account of web processes that reach the embedded server by `web_url`; "
        "empty: they run under that of the worker.",
    )
    account: str = Field(
        "armillary", description="System account of the embedded server when started by root."
    )
    pool_size: int = Field(8, ge=1, description="Connections per process.")
    web_patience_s: float = Field(
        20.0,
        gt=0,
        description="Seconds that one statement of a web request may take; it then fails with 503.",
    )


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
    room_s: float = Field(
        2.0,
        gt=0,
        description="Seconds between attempts of work for which a disk or the database has no room; they are"
        " not counted.",
    )
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
    max_unpacked: int = Field(
        16 << 30, ge=1, description="Bytes that a .bz2 or .gz file may have when it is unpacked."
    )
    preview_px: int = Field(1024, ge=16, le=16_384, description="Long side of a preview, pixels.")
    preview_memory: int = Field(
        1 << 30, ge=64 * MIB, description="Bytes of memory that making one preview may take."
    )
    preview_s: float = Field(300.0, gt=0, description="Seconds that making one preview may take.")
    visibility: Literal["hidden", "metadata", "open"] = Field(
        "metadata",
        description="What strangers are told of unreleased files of new roots: nothing (`hidden`), their"
        " `metadata`, or everything where no release date says otherwise (`open`).",
    )
    identity: Literal["by-path", "unique"] = Field(
        "by-path",
        description="What makes files of newly adopted trees the same files: directory and name (`by-path`), or"
        " the name alone (`unique`), as in the store.",
    )
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


class AccessSettings(BaseModel):
    """Who asks."""

    remember_s: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Seconds that a process remembers who bears a token, which it forgets at once when a token"
        " is revoked or a grant changes; 0 asks the database each time.",
    )


def _usable_path(template: str) -> str:
    try:
        template.format(path="", date=date(2026, 1, 1))
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(
            f"'{template}' is no path: only {{path}} and {{date:%Y%m%d}} may stand in it"
        ) from None
    return template


SecretSource = Annotated[str, Field(pattern=r"^$|^(env|file):.+")]


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


class PipeSettings(BaseModel):
    """Queues of items that sites and their processing machines exchange."""

    auto_create_queues: bool = Field(
        False, description="Sending an item to a queue that does not exist makes the queue, instead of 404."
    )
    max_payload: int = Field(MIB, ge=1000, description="Bytes of one request with an item.")
    idempotency_h: float = Field(
        24.0, gt=0, description="Hours that the key of an item is remembered against repetitions."
    )


class BusSettings(BaseModel):
    """The log of telemetry samples."""

    max_payload: int = Field(MIB, ge=1000, description="Bytes of the payload of one sample.")
    max_body: int = Field(32 * MIB, ge=1000, description="Bytes of one request with samples.")
    skew_s: float = Field(
        10.0,
        gt=0,
        description="Seconds between the event time of a sample and its arrival above which it is flagged.",
    )
    spool_bytes: int = Field(
        1 << 30,
        ge=0,
        description="Bytes of samples that a process keeps on disk while the database is away; then it refuses"
        " others.",
    )


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

    def at(self, data: Path) -> Path:
        """Return the directory of configurations of an archive."""
        return self.directory or data / "headers"

    def annex_of(self, data: Path) -> str:
        """Return the URL of the annex of an archive."""
        if self.annex and not self.annex.startswith("/"):
            return self.annex
        return (Path(self.annex) if self.annex else data.resolve() / "annex").as_uri()


class BackupSettings(BaseModel):
    """How backups are made."""

    programs: Path | None = Field(
        None, description="Directory of pg_dump and pg_restore; empty: those of the embedded PostgreSQL."
    )


class RetentionSettings(BaseModel):
    """What is forgotten after a time; empty: never. Records of edits are kept in any case."""

    versions_days: float | None = Field(
        None,
        gt=0,
        description="Days after which replaced versions lose their headers and undo recipes, those that "
        "undoing the latest edit needs excepted.",
    )
    superseded_days: float | None = Field(
        None, gt=0, description="Days that bytes which an upload replaced are kept below .superseded/."
    )
    samples_h: float = Field(
        72.0,
        gt=0,
        description="Hours that telemetry samples are kept, longer than any outage of a link; those that headers"
        " still need, and the values in force, stay in any case.",
    )
    changes_days: float | None = Field(
        None,
        gt=0,
        description="Days that the feed of changes goes back; clients that were away for longer begin anew.",
    )


Origin = Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+$")]


class LimitSettings(BaseModel):
    """How much callers may send and hold; a rate or a number of connections of 0 sets no limit."""

    anonymous_per_s: float = Field(
        50.0, ge=0, description="Requests per second of an address without a token."
    )
    anonymous_burst: int = Field(200, ge=1, description="Requests that an address may send at once.")
    token_per_s: float = Field(500.0, ge=0, description="Requests per second of a token.")
    token_burst: int = Field(2000, ge=1, description="Requests that a token may send at once.")
    callers: int = Field(
        10_000, ge=1, description="Callers remembered; who came longest ago is forgotten first."
    )
    stall_s: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="Seconds after which a client that reads no more of its answer is dropped; 0 for never.",
    )
    proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="Networks of reverse proxies, whose X-Forwarded-For is believed."
    )
    origins: tuple[Origin, ...] = Field(
        (),
        description="Origins of web pages elsewhere that may post with cookies: `https://tools.example`.",
    )
    max_url: int = Field(
        16_384, ge=100, description="Bytes of the URL of a request; more is refused with 414."
    )
    max_headers: int = Field(100, ge=10, description="Headers of a request; more are refused with 431.")
    max_header_bytes: int = Field(
        32_768,
        ge=1000,
        description="Bytes of the URL and all headers of a request; more are refused with 431.",
    )
    header_s: float = Field(
        20.0, gt=0, description="Seconds from the first byte of a request to the end of its headers."
    )
    body_s: float = Field(
        30.0,
        gt=0,
        description="Seconds over which the rate of a body is measured that is being received.",
    )
    body_per_s: float = Field(
        500.0, ge=0, description="Bytes per second that a body must bring; a slower one is given up."
    )
    idle_s: float = Field(
        75.0, gt=0, description="Seconds that a connection may wait for its first or next request."
    )
    connections: int = Field(
        1000, ge=10, description="Connections of all clients; a new one takes the place of one that is idle."
    )
    connections_per_address: int = Field(
        100, ge=0, description="Connections of an address, or requests at once of one behind a proxy."
    )


Prefix = Annotated[str, Field(pattern=r"^$|^(/[A-Za-z0-9._~-]+)+$")]


class PhotonRanchSettings(BaseModel):
    """The interface of the Photon Ranch API."""

    prefixes: tuple[Prefix, ...] = Field(
        ("", "/api", "/dev", "/test"),
        description="Paths below which its routes answer; the empty one is the root of the server.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#@]+[^?#@]*$",
        description="Address of the server in URLs that it gives out; empty: that of the request.",
    )
    origins: tuple[Literal["*"] | Origin, ...] = Field(
        ("*",), description="Origins of web pages that may call it; `*` is every one."
    )
    max_body: int = Field(1 * MIB, ge=1024, description="Bytes of the JSON body of a request.")
    slot_s: float = Field(300.0, gt=0, description="Seconds in which a file has to be sent to its slot.")
    most_images: int = Field(10_000, ge=1, description="Images of one list; it says where it goes on.")
    most_zip: int = Field(64 << 30, ge=1, description="Bytes of the files of one zip.")
    zip_mark: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._~:/-]*$",
        description="Text that addresses of zips hold, since some pages follow no others; it means nothing here.",
    )
    max_config: int = Field(5_000_000, ge=2, description="Bytes of the configuration of a site.")
    strict_sites: tuple[str, ...] = Field(
        (),
        description="Sites whose configurations are refused if they have faults, which are warnings elsewhere; `*`"
        " means all. JSON in the environment.",
    )


def _usable_template(template: str) -> str:
    try:
        address = template.format(site="", room="", token="")
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(
            f"'{template}' is no address: only {{site}}, {{room}} and {{token}} may stand in it"
        ) from None
    if template and not address.startswith(("https://", "http://")):
        raise ValueError(f"'{template}' should begin with https:// or http://")
    return template


class RoomSettings(BaseModel):
    """Control rooms of sites; web process and workers need the same settings, workers alone the secret."""

    provider: Literal["none", "fake", "selfhosted", "remotehq"] = Field(
        "none",
        description="Who has the rooms: `remotehq`, a server of your own (`selfhosted`), nobody (`none`), or"
        " `fake` for rooms that are nowhere.",
    )
    secret: SecretSource = Field(
        "",
        description="Where the token for RemoteHQ is, or the key that signs tokens for your own server:"
        " `file:PATH` or `env:VARIABLE`.",
    )
    timeout_s: float = Field(
        20.0, gt=0, le=300, description="Longest time that a request to the provider takes."
    )
    parallel: int = Field(4, ge=1, description="Requests to the provider at once, per worker process.")
    url: str = Field(
        "https://api.remotehq.com/v1",
        pattern=r"^https?://[^/?#@]+[^?#@]*$",
        description="Address of the interface of RemoteHQ.",
    )
    region: str = Field("", description="Region of shared browsers at RemoteHQ.")
    image_url: str = Field("", description="Picture of rooms at RemoteHQ.")
    page: str = Field(
        "about:blank", description="Page that the shared browser of a room begins with; `{site}` is the site."
    )
    template: Annotated[str, AfterValidator(_usable_template)] = Field(
        "",
        description="Address of a room on your own server: `{room}`, `{site}` and the access token `{token}`"
        " stand in it, as in `https://meet.example/{room}?jwt={token}`.",
    )
    token_h: float = Field(24.0, gt=0, le=8784, description="Hours that such a token is good for.")
    restart_hours: dict[str, Annotated[int, Field(ge=0, le=23)]] = Field(
        {},
        description="Hour (UTC) at which the room of a site is restarted every day, by site; JSON in the"
        " environment.",
    )

    @model_validator(mode="after")
    def _complete(self) -> RoomSettings:
        if self.provider == "selfhosted" and not self.template:
            raise ValueError("provider 'selfhosted' needs a template")
        return self


class LogSettings(BaseModel):
    """What is written down besides warnings; ARMILLARY_LOG=INFO shows all events."""

    requests: bool = Field(True, description="Write a line for every request that was answered.")


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
    auth: AuthSettings = AuthSettings()

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
