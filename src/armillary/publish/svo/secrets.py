"""Where the virtual observatory is, and who writes there: from the environment, or from a file."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from armillary.publish.svo.errors import SvoKeyExposed, SvoKeyMissing, SvoNotConfigured
from armillary.settings import SvoSettings

URL, USER, KEY, KEY_FILE = "SVO_API_URL", "SVO_USERNAME", "SVO_API_KEY", "SVO_API_KEY_FILE"
SECRETS = frozenset({KEY, KEY_FILE})
"""Variables of the environment that only those may have who write there."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who writes. The key is shown to nobody but the observatory."""

    user: str
    key: str = field(repr=False)

    @property
    def header(self) -> str:
        """What requests bear."""
        return f"ApiKey {self.user}:{self.key}"


def base_url(settings: SvoSettings) -> str:
    """Return the base URL of the service.

    Raises
    ------
    SvoNotConfigured
        If none is set, or something that holds more than an address.
    """
    url = (os.environ.get(URL, "").strip() or settings.url).rstrip("/")
    if not url:
        raise SvoNotConfigured(f"The virtual observatory is not known: set {URL}, or the setting svo.url.")
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname or split.query or split.fragment:
        raise SvoNotConfigured(f"{URL} or svo.url is no http address without a query; check it.")
    if "@" in split.netloc:
        raise SvoNotConfigured(f"The address in {URL} or svo.url holds a name; put the key into {KEY_FILE}.")
    return url


def credentials(settings: SvoSettings) -> Credentials:
    """Return who writes.

    Raises
    ------
    SvoKeyMissing
        If there is no key, or it is nothing that a request can bear.
    SvoKeyExposed
        If others may read its file.
    """
    user, key = (os.environ.get(name, "").strip() for name in (USER, KEY))
    if not (user and key):
        file = os.environ.get(KEY_FILE, "").strip() or settings.key_file
        if not file:
            raise SvoKeyMissing
        user, key = _in_file(Path(file))
    if not (user and key and f"{user}{key}".isascii() and f"{user}{key}".isprintable()) or ":" in user:
        raise SvoKeyMissing("The key for the virtual observatory is no USER:KEY that a request can bear.")
    return Credentials(user, key)


def _in_file(path: Path) -> tuple[str, str]:
    try:
        with path.open(encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise SvoKeyExposed(f"Others may read {path}, the file of the key; run chmod 600 {path}.")
            line = file.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SvoKeyMissing(f"The key for the virtual observatory cannot be read: {path}: {why}.") from None
    user, _, key = line.partition(":")
    return user.strip(), key.strip()
