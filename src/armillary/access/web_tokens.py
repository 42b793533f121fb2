"""People who signed in elsewhere, known by the JSON web token that they bear (RFC 7519)."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from armillary.access.claims import email_in, groups_in, is_in_force, name_in, permissions_of, roles_in
from armillary.access.errors import UnusableCertificate
from armillary.access.grants import grants_of
from armillary.access.issuer import MIN_RSA_BITS, Issuer
from armillary.access.models import Credentials, Grants, Principal
from armillary.access.modes import Mode
from armillary.access.recent import Found, Recent
from armillary.base.clock import Clock
from armillary.base.log import get_logger, says
from armillary.context import Context
from armillary.settings.auth import JwtSettings

log = get_logger(__name__)
MOST = 10_000
SHORTER_S = 10.0
"""Seconds that it is remembered that the issuer said nothing of somebody."""
_BAD = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What may come of the bytes of strangers."""
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class WebTokens:
    """The authenticator that knows who signed in at an issuer."""

    def __init__(self, settings: JwtSettings, mode: Mode) -> None:
        self._settings, self._mode, self.recent = settings, mode, Recent()
        self._fixed = _read_certificate(settings) if settings.certificate else None
        bare = settings.issuer.rstrip("/")
        # Some issuers end with a slash in tokens, and few people write it in settings.
        self._issuers = frozenset({bare, f"{bare}/"})
        self._issuer: Issuer | None = None
        self._said: OrderedDict[bytes, tuple[float, asyncio.Task[Mapping[str, Any]]]] = OrderedDict()

    async def identify(self, context: Context, shown: Credentials) -> Principal | None:
        """Return who bears the web token that is shown, None if it is none, or none of these people."""
        if shown.secret.count(".") != 2:
            return None
        issuer = self._issuer_by(context.clock)
        try:
            claims = await self._verified(issuer, shown.secret, context.clock)
        except _BAD as error:
            if says(__name__):
                log.info("web token refused", reason=str(error))
            return None
        if claims is None or not (name := name_in(claims, self._settings.name_claim)):
            return None
        roles, told = roles_in(claims, self._settings.claim), [claims]
        if roles is None and self._settings.userinfo:
            said = await self._said_by_issuer(issuer, shown.secret, claims, context.clock)
            roles = roles_in(said, self._settings.claim)
            told.append(said)
        permissions = permissions_of(roles or (), self._settings, self._mode)
        return Principal(name, permissions, await self._grants(context, told))

    async def _grants(self, context: Context, told: Iterable[Mapping[str, Any]]) -> Grants:
        """Return what was granted to the addresses and groups of somebody; never what a token was granted."""
        # An address counts as verified where the same answer says so, and not where another one does.
        emails = {email for claims in told if (email := email_in(claims, self._settings)) is not None}
        groups = {group for claims in told for group in groups_in(claims, self._settings)}
        if not emails and not groups:
            return Grants()
        known = json.dumps([sorted(emails), sorted(groups)]).encode()
        began_s, generation = context.clock.monotonic(), self.recent.generation
        if (remembered := self.recent.find(known, began_s)) is not None:
            return remembered.grants
        async with context.database.look() as connection:
            found = await grants_of(connection, "", emails=emails, groups=groups)
        seconds = context.settings.access.remember_s
        one = Found(Principal(grants=found), None)
        self.recent.keep(known, one, began_s=began_s, seconds=seconds, generation=generation)
        return found

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """End with the block whatever is being asked."""
        try:
            yield
        finally:
            asking = [task for _, task in self._said.values() if not task.done()]
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            if self._issuer is not None:
                await self._issuer.close()

    def _issuer_by(self, clock: Clock) -> Issuer:
        if self._issuer is None:
            self._issuer = Issuer(self._settings, clock)
        return self._issuer

    async def _verified(self, issuer: Issuer, token: str, clock: Clock) -> Mapping[str, Any] | None:
        """Return the claims of a token that is signed by the issuer, for us, and in force; None if it is not.

        Raises
        ------
        PyJWTError, ValueError, TypeError, OverflowError, RecursionError
            If it is no such token either.
        """
        settings = self._settings
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in settings.algorithms or not (kid is None or isinstance(kid, str)):
            return None
        # Before the issuer is asked for a key: tokens of others, and old ones, are no reason to.
        said = jwt.decode(token, options={"verify_signature": False})
        if said.get("iss") not in self._issuers or not self._holds(said, clock):
            return None
        key = self._fixed or await issuer.key_for(kid, algorithm)
        if key is None:
            return None
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=settings.audience,
            issuer=self._issuers,
            # Instants are compared by our clock, and a clock that is late has no need of `iat`.
            options={
                "require": ["exp", "iss", "aud", "sub"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        # The issuer may have kept us waiting.
        return claims if self._holds(claims, clock) else None

    def _holds(self, claims: Mapping[str, Any], clock: Clock) -> bool:
        return is_in_force(claims, clock.now().timestamp(), self._settings.leeway_s)

    async def _said_by_issuer(
        self, issuer: Issuer, token: str, claims: Mapping[str, Any], clock: Clock
    ) -> Mapping[str, Any]:
        """Return what the issuer tells of a bearer, asked once for all who wait, and remembered."""
        digest, now_s = hashlib.sha256(token.encode()).digest(), clock.monotonic()
        until_s, task = self._said.get(digest, (0.0, None))
        if task is None or now_s >= until_s:
            task = asyncio.create_task(issuer.ask_about(token))
            self._said[digest] = (now_s + self._settings.userinfo_s, task)
            self._said.move_to_end(digest)
            if len(self._said) > MOST:
                self._said.popitem(last=False)
        told = await asyncio.shield(task)
        if not told:
            self._said[digest] = (min(self._said[digest][0], now_s + SHORTER_S), task)
        # OpenID Connect Core, section 5.3.2: an answer about somebody else is to be ignored.
        return told if told.get("sub") == claims["sub"] else {}


def _read_certificate(settings: JwtSettings) -> PublicKey:
    """Return the key of a certificate, or a public key, in a file.

    Raises
    ------
    UnusableCertificate
        If there is none that one of the algorithms can use.
    """
    assert settings.certificate
    try:
        content = settings.certificate.read_bytes()
        is_certificate = b"BEGIN CERTIFICATE" in content
        key = (
            x509.load_pem_x509_certificate(content).public_key()
            if is_certificate
            else load_pem_public_key(content)
        )
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise UnusableCertificate(f"{settings.certificate} cannot be read as PEM: {error}") from None
    match key:
        case rsa.RSAPublicKey() if key.key_size >= MIN_RSA_BITS and "RS256" in settings.algorithms:
            return key
        case ec.EllipticCurvePublicKey() if key.curve.name == "secp256r1" and "ES256" in settings.algorithms:
            return key
    raise UnusableCertificate(
        f"{settings.certificate} has no key for {' or '.join(settings.algorithms)}:"
        f" RSA of at least {MIN_RSA_BITS} bits, or the curve P-256."
    )
