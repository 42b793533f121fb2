"""An OpenID Connect issuer: where its keys are, which they are now, and what it says of somebody.

Nobody waits for an issuer that is away: keys that are known go on, and only a token with a key that is not known
makes its sender wait, as long as `timeout_s`. Anybody can make such tokens up, so few of them lead to a question.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from armillary.base import certificates
from armillary.base.clock import Clock
from armillary.base.log import get_logger
from armillary.settings.auth import JwtSettings

log = get_logger(__name__)
DISCOVERY = "/.well-known/openid-configuration"
MAX_REPLY = 1 << 20
FETCHES, WINDOW_S = 5, 60.0
"""How often the issuer is asked for keys at most: one rotation after another is noticed, no flood is passed on."""
MIN_RSA_BITS = 2048
_KINDS = {"RSA": "RS256", "EC": "ES256"}


class UnusableIssuer(Exception):
    """What the issuer says cannot be used."""


_AWAY = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError, UnusableIssuer)
"""What may come of asking another server."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The public keys of an issuer, by their ids."""

    by_id: Mapping[str, jwt.PyJWK] = field(default_factory=dict)
    unnamed: tuple[jwt.PyJWK, ...] = ()

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key that a token names, or the only one for its algorithm if it names none."""
        if kid is not None:
            found = self.by_id.get(kid)
            return found if found and found.algorithm_name == algorithm else None
        fitting = [one for one in (*self.by_id.values(), *self.unnamed) if one.algorithm_name == algorithm]
        return fitting[0] if len(fitting) == 1 else None


def read_keys(document: Any, algorithms: Sequence[str]) -> Keys:
    """Return those keys of a JSON Web Key Set (RFC 7517) that signatures can be checked with.

    Raises
    ------
    UnusableIssuer
        If it is no such set, or none of its keys is for one of the algorithms.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise UnusableIssuer("no list of keys")
    named: dict[str, jwt.PyJWK] = {}
    unnamed = []
    for one in listed:
        if (key := _read_key(one, algorithms)) is None:
            continue
        if isinstance(one.get("kid"), str):
            named.setdefault(one["kid"], key)
        else:
            unnamed.append(key)
    if not named and not unnamed:
        raise UnusableIssuer(f"no key for {' or '.join(algorithms)} among {len(listed)}")
    return Keys(named, tuple(unnamed))


def _read_key(one: Any, algorithms: Sequence[str]) -> jwt.PyJWK | None:
    """Return a key for signatures; symmetric ones are none, whatever an issuer lists."""
    if not isinstance(one, dict) or one.get("use", "sig") != "sig":
        return None
    algorithm = _KINDS.get(str(one.get("kty")))
    if algorithm not in algorithms or one.get("alg", algorithm) != algorithm:
        return None
    try:
        # Without the private part, if an issuer should be so careless as to show it.
        public = {name: value for name, value in one.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}
        key = jwt.PyJWK(public, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None
    is_short = algorithm == "RS256" and key.key.key_size < MIN_RSA_BITS
    is_other_curve = algorithm == "ES256" and one.get("crv") != "P-256"
    return None if is_short or is_other_curve else key


class Issuer:
    """What is known of an issuer; for the event loop alone."""

    def __init__(self, settings: JwtSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._keys = Keys()
        self._renewed_s: float | None = None
        """When the keys were told last."""
        self._asked_s: deque[float] = deque(maxlen=FETCHES)
        self._renewal: asyncio.Task[None] | None = None
        self._userinfo_url = ""

    async def key_for(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key that a token names; the issuer is asked if that is needed and was not done too often."""
        known = self._keys.find(kid, algorithm)
        if known is None or self._is_stale():
            self._begin_renewal()
        if known is None and self._renewal is not None:
            # Shielded: whoever goes away must not take the answer from those who wait for the same one.
            await asyncio.shield(self._renewal)
            known = self._keys.find(kid, algorithm)
        return known

    async def ask_about(self, token: str) -> Mapping[str, Any]:
        """Return what the issuer says of the bearer of a token, nothing if it says nothing.

        Its discovery document says where to ask, and is fetched with the keys.
        """
        if not self._userinfo_url and self._is_stale():
            self._begin_renewal()
            if self._renewal is not None:
                await asyncio.shield(self._renewal)
        if not self._userinfo_url:
            return {}
        try:
            found = await self._within(self._fetch(self._userinfo_url, token))
        except _AWAY as error:
            log.warning("issuer says nothing of a bearer", issuer=self._settings.issuer, error=_reason(error))
            return {}
        return found if isinstance(found, dict) else {}

    async def close(self) -> None:
        """End what is being asked."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    def _is_stale(self) -> bool:
        since = self._renewed_s
        return since is None or self._clock.monotonic() - since > self._settings.refresh_s

    def _begin_renewal(self) -> None:
        """Ask for the keys, unless that is being done or was done too often."""
        now_s = self._clock.monotonic()
        if self._renewal is not None and not self._renewal.done():
            return
        self._renewal = None
        if len(self._asked_s) == FETCHES and now_s - self._asked_s[0] < WINDOW_S:
            return
        self._asked_s.append(now_s)
        self._renewal = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        try:
            self._keys = await self._within(self._discover())
        except _AWAY as error:
            log.warning("issuer away", issuer=self._settings.issuer, error=_reason(error), keys=self._count())
        else:
            self._renewed_s = self._clock.monotonic()
            log.info("keys of issuer", issuer=self._settings.issuer, keys=self._count())

    async def _discover(self) -> Keys:
        issuer = self._settings.issuer
        document = await self._fetch(f"{issuer.rstrip('/')}{DISCOVERY}")
        said = document.get("issuer") if isinstance(document, dict) else None
        if not isinstance(said, str) or said.rstrip("/") != issuer.rstrip("/"):
            raise UnusableIssuer(f"it calls itself {said!r}")
        keys_url = self._address(document.get("jwks_uri"))
        if document.get("userinfo_endpoint") is not None:
            self._userinfo_url = self._address(document["userinfo_endpoint"])
        return read_keys(await self._fetch(keys_url), self._settings.algorithms)

    def _address(self, url: Any) -> str:
        """Return an address that the issuer gives, which is no less guarded on the way than its own."""
        schemes = ("https",) if self._settings.issuer.startswith("https:") else ("http", "https")
        if not isinstance(url, str) or urlsplit(url).scheme not in schemes:
            raise UnusableIssuer(f"{url!r} is no address with {' or '.join(schemes)}")
        return url

    async def _within(self, what: Any) -> Any:
        async with asyncio.timeout(self._settings.timeout_s):
            return await what

    async def _fetch(self, url: str, token: str = "") -> Any:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        content = bytearray()
        timeout_s = self._settings.timeout_s
        async with (
            httpx.AsyncClient(trust_env=False, timeout=timeout_s, verify=certificates.trusted()) as client,
            client.stream("GET", url, headers=headers) as reply,
        ):
            if reply.status_code != httpx.codes.OK:
                raise UnusableIssuer(f"status {reply.status_code} from {url}")
            async for part in reply.aiter_bytes():
                content += part
                if len(content) > MAX_REPLY:
                    raise UnusableIssuer(f"more than {MAX_REPLY} bytes from {url}")
        return json.loads(bytes(content))

    def _count(self) -> int:
        return len(self._keys.by_id) + len(self._keys.unnamed)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
