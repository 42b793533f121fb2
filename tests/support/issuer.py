"""A small OpenID Connect issuer on a real socket: discovery, keys that rotate, tokens, userinfo, and bad days."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "https://api.observatory.example"
CLAIM = "https://photonranch.org/user_metadata"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a key, the same for each number."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """Return a key on the curve P-256, the same for each number."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Private) -> bytes:
    """Return the public part of a key as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def listed(key: Private, kid: str | None, **more: Any) -> dict[str, Any]:
    """Return the public part of a key as the issuer lists it."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        found = RSAAlgorithm.to_jwk(public, as_dict=True)
    else:
        found = ECAlgorithm.to_jwk(public, as_dict=True)
    return found | {"use": "sig"} | ({"kid": kid} if kid is not None else {}) | more


@dataclass
class Issuer:
    """What it has, what it was asked, and how it behaves."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [listed(rsa_key(), "first")])
    people: dict[str, Any] = field(default_factory=dict)
    """What it says of the bearers of tokens."""
    asked: Counter[str] = field(default_factory=Counter)
    status: int = 200
    silent: bool = False
    document: dict[str, Any] = field(default_factory=dict)
    """What its discovery document says otherwise than usual."""
    ended: threading.Event = field(default_factory=threading.Event)
    begin: Callable[[], None] = lambda: None

    def answer(self, path: str, bearer: str) -> Any:
        """Return what it says on a path."""
        if path.endswith("/.well-known/openid-configuration"):
            return {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "userinfo_endpoint": f"{self.url}/userinfo",
            } | self.document
        if path.endswith("/keys"):
            return {"keys": self.keys}
        return self.people.get(bearer, {})

    def token(
        self,
        now: datetime,
        roles: Any = None,
        *,
        key: Private | str | None = None,
        alg: str = "RS256",
        kid: str | None = "first",
        **claims: Any,
    ) -> str:
        """Return a token that begins now and lasts an hour; a claim that is None is left out."""
        at = int(now.timestamp())
        usual: dict[str, Any] = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "exp": at + 3600, "nbf": at}
        usual |= {CLAIM: {"roles": roles}} if roles is not None else {}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        headers = {"kid": kid} if kid is not None else {}
        return jwt.encode(said, rsa_key() if key is None else key, algorithm=alg, headers=headers)


@contextlib.contextmanager
def issuing(*, absent: bool = False, **given: Any) -> Iterator[Issuer]:
    """Run an issuer on a free port until the end of the block; an absent one has to be begun."""
    issuer = Issuer(**given)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked[self.path] += 1
            if issuer.silent:
                issuer.ended.wait()
                return
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self._send(issuer.status, issuer.answer(self.path, bearer))

        def _send(self, status: int, content: Any) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    # Bound and deaf, it refuses connections, and nobody else gets its port.
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.server_bind()
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    # Each of its tests waits at the end until it has looked whether it is to stop.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})

    def begin() -> None:
        server.server_activate()
        thread.start()

    issuer.begin = begin
    if not absent:
        begin()
    try:
        yield issuer
    finally:
        issuer.ended.set()
        if thread.is_alive():
            server.shutdown()
            thread.join()
        server.server_close()


def settings_for(issuer: Issuer, **given: Any) -> Mapping[str, Any]:
    """Return settings that accept tokens of an issuer."""
    return {"issuer": issuer.url, "audience": (AUDIENCE,), "timeout_s": 30.0, **given}
