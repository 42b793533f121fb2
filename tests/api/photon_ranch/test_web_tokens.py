"""People who signed in at an issuer: a real one on a socket, with keys that rotate, and bad days."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from armillary.access.errors import UnusableCertificate
from armillary.access.service import web_tokens_of
from armillary.settings.auth import AuthSettings
from tests.support.archive import Archive, archive
from tests.support.clock import FakeClock
from tests.support.issuer import AUDIENCE, CLAIM, Issuer, ec_key, issuing, listed, pem, rsa_key, settings_for
from tests.support.patience import in_time
from tests.support.postgres import postgres
from tests.support.rights import a_key, serving

__all__ = ["archive", "postgres"]
KEEPER = {"keeper": {"scopes": ["config"], "sites": ["saf"]}}
PATIENCE_S = 300.0
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Run an issuer."""
    with issuing() as one:
        yield one


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@pytest.fixture
async def client(archive: Archive, issuer: Issuer, clock: FakeClock) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of a server that knows the issuer."""
    async with serving(archive, clock=clock, jwt=settings_for(issuer, roles=KEEPER)) as one:
        yield one


async def status(client: httpx.AsyncClient, token: str, path: str = "/saf/config") -> int:
    reply = await client.put(path, headers={"Authorization": f"Bearer {token}"})
    expected = {200: {"by": "ann"}, 401: {"message": "Unauthorized"}, 403: {"message": "Forbidden"}}
    assert reply.json() == expected[reply.status_code]
    assert not token or token not in f"{reply.headers} {reply.text}"
    return reply.status_code


async def test_roles_permit_at_their_sites(
    client: httpx.AsyncClient, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = issuer.token(clock.now(), ["keeper", "other"])
    assert await status(client, keeper) == 200
    assert await status(client, keeper, "/mrc/config") == 403
    assert await status(client, issuer.token(clock.now(), "keeper")) == 200
    others: tuple[Any, ...] = (None, [], "other", ["*"], {"keeper": True}, [["keeper"]], 7)
    for roles in others:
        assert await status(client, issuer.token(clock.now(), roles)) == 403
    assert issuer.asked == {DISCOVERY: 1, "/keys": 1}


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
async def test_a_token_is_shown_as_bearer_as_key_or_in_the_path(
    client: httpx.AsyncClient, issuer: Issuer, clock: FakeClock, word: str
) -> None:
    token = issuer.token(clock.now(), ["keeper"], padding="x" * 4000)
    for reply in (
        await client.put("/saf/config", headers={"Authorization": f"{word} {token}"}),
        await client.put("/saf/config", headers={"X-Api-Key": token}),
        await client.put(f"/k/{token}/api/saf/config"),
    ):
        assert (reply.status_code, reply.json()) == (200, {"by": "ann"})


async def test_who_signed_in_is_the_actor_where_anybody_may(
    archive: Archive, issuer: Issuer, clock: FakeClock
) -> None:
    jwts = settings_for(issuer, name_claim=("https://x/profile", "nick.name"))
    async with serving(archive, clock=clock, mode="open", jwt=jwts) as client:
        profile: dict[str, Any] = {"https://x/profile": {"nick.name": "Ann"}}
        good = issuer.token(clock.now(), **profile)
        for token, name in (
            (good, "Ann"),
            (issuer.token(clock.now()), "ann"),
            (f"{good}x", ""),
            ("a.b.c", ""),
        ):
            reply = await client.get("/saf/config", headers={"Authorization": f"Bearer {token}"})
            assert (reply.status_code, reply.json()) == (200, {"by": name})


async def test_everybody_who_signed_in_writes_notes_in_compat_as_deployed(
    archive: Archive, issuer: Issuer, clock: FakeClock
) -> None:
    shown = {"Authorization": f"Bearer {issuer.token(clock.now())}"}
    for mode, expected in (("compat", 200), ("enforced", 403)):
        async with serving(archive, clock=clock, mode=mode, jwt=settings_for(issuer)) as client:
            assert (await client.post("/nightlog/saf", headers=shown)).status_code == expected
            assert (await client.post("/new_browser", headers=shown)).status_code == expected
            assert (await client.post("/nightlog/saf")).status_code == 401
            assert (await client.post("/dummy-requires-auth", headers=shown)).status_code == 200


Forgery = Callable[[Issuer, dt.datetime], str]


def unsigned(issuer: Issuer, now: dt.datetime) -> str:
    claims = jwt.decode(issuer.token(now, ["keeper"]), options={"verify_signature": False})
    return jwt.encode(claims, "", "none")


def by_public_key(issuer: Issuer, now: dt.datetime) -> str:
    """Sign as if the public key were a secret that both sides share."""
    import hmac

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    claims = jwt.decode(issuer.token(now, ["keeper"]), options={"verify_signature": False})
    header = {"alg": "HS256", "typ": "JWT", "kid": "first"}
    signed = b".".join(part(json.dumps(one).encode()) for one in (header, claims))
    return b".".join((signed, part(hmac.digest(pem(rsa_key()), signed, "sha256")))).decode()


FORGERIES: dict[str, Forgery] = {
    "another issuer": lambda one, now: one.token(now, ["keeper"], iss="https://other.example"),
    "no issuer": lambda one, now: one.token(now, ["keeper"], iss=None),
    "an issuer that is no text": lambda one, now: _with(one, now, iss=["x"]),
    "another audience": lambda one, now: one.token(now, ["keeper"], aud="https://other.example"),
    "no audience": lambda one, now: one.token(now, ["keeper"], aud=None),
    "an odd audience": lambda one, now: _with(one, now, aud={"x": AUDIENCE}),
    "no subject": lambda one, now: one.token(now, ["keeper"], sub=None),
    "a subject that is no text": lambda one, now: _with(one, now, sub=7),
    "over": lambda one, now: one.token(now - dt.timedelta(hours=2), ["keeper"]),
    "to come": lambda one, now: one.token(now + dt.timedelta(hours=2), ["keeper"]),
    "without an end": lambda one, now: one.token(now, ["keeper"], exp=None),
    "an end that is no number": lambda one, now: _with(one, now, exp="tomorrow"),
    "an end beyond numbers": lambda one, now: _with(one, now, exp=10**400),
    "another key": lambda one, now: one.token(now, ["keeper"], key=rsa_key(1)),
    "another kind of key": lambda one, now: one.token(now, ["keeper"], key=ec_key(), alg="ES256"),
    "another algorithm": lambda one, now: one.token(now, ["keeper"], alg="RS512"),
    "PSS": lambda one, now: one.token(now, ["keeper"], alg="PS256"),
    "unsigned": unsigned,
    "signed by the public key": by_public_key,
    "an unknown key": lambda one, now: one.token(now, ["keeper"], kid="other"),
    "a key of a strange name": lambda one, now: one.token(now, ["keeper"], kid="../../etc/passwd"),
    "changed": lambda one, now: _changed(one.token(now, ["other"])),
    "cut off": lambda one, now: one.token(now, ["keeper"])[:-9],
    "no signature": lambda one, now: one.token(now, ["keeper"]).rpartition(".")[0] + ".",
    "nothing but dots": lambda one, now: "..",
}


def _with(issuer: Issuer, now: dt.datetime, **claims: Any) -> str:
    """Sign what no library for tokens would."""
    usual = jwt.decode(issuer.token(now, ["keeper"]), options={"verify_signature": False})
    payload = json.dumps({**usual, **claims}).encode()
    return jwt.api_jws.encode(payload, rsa_key(), "RS256", {"kid": "first"})


def _changed(token: str) -> str:
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims[CLAIM] = {"roles": ["keeper"]}
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{forged}.{signature}"


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_token_is_none(
    client: httpx.AsyncClient, issuer: Issuer, clock: FakeClock, forgery: str
) -> None:
    assert await status(client, issuer.token(clock.now(), ["keeper"])) == 200
    assert await status(client, FORGERIES[forgery](issuer, clock.now())) == 401
    assert await status(client, issuer.token(clock.now(), ["keeper"])) == 200


async def test_a_token_ends_while_the_server_runs(
    client: httpx.AsyncClient, issuer: Issuer, clock: FakeClock
) -> None:
    token = issuer.token(clock.now(), ["keeper"])
    clock.advance(3600 + 4)
    assert await status(client, token) == 200
    clock.advance(2)
    assert await status(client, token) == 401


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.binary(max_size=60), min_size=3, max_size=3), plain=st.booleans())
async def test_no_bytes_of_strangers_are_a_fault(
    client: httpx.AsyncClient, parts: list[bytes], plain: bool
) -> None:
    texts = [part.hex() if plain else base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    assert await status(client, ".".join(texts)) == 401


@pytest.mark.parametrize(
    "payload", [b"[]", b"7", b"null", b"{", b"\xff", b'{"iss": NaN}', b"[" * 5000, b"{" + b'"a":[' * 900]
)
async def test_odd_payloads_are_no_fault(client: httpx.AsyncClient, issuer: Issuer, payload: bytes) -> None:
    token = jwt.api_jws.encode(payload, rsa_key(), "RS256", {"kid": "first"})
    assert await status(client, token) == 401


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_both_kinds_of_keys_are_known_and_no_other(archive: Archive, clock: FakeClock) -> None:
    short, other_curve = rsa_key(7, 1024), listed(ec_key(7), "curve") | {"crv": "P-384"}
    keys = [
        listed(rsa_key(), "first"),
        listed(ec_key(), "curved"),
        listed(rsa_key(2), "sealing", use="enc"),
        listed(rsa_key(3), "other", alg="RS512"),
        listed(short, "short"),
        other_curve,
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kid": "nothing"},
        "no key",
    ]
    with issuing(keys=keys) as issuer:
        async with serving(archive, clock=clock, jwt=settings_for(issuer, roles=KEEPER)) as client:
            now = clock.now()
            for key, alg, kid, expected in (
                (rsa_key(), "RS256", "first", 200),
                (ec_key(), "ES256", "curved", 200),
                (rsa_key(), "RS256", None, 200),
                (rsa_key(2), "RS256", "sealing", 401),
                (rsa_key(3), "RS256", "other", 401),
                (short, "RS256", "short", 401),
                (ec_key(7), "ES256", "curve", 401),
            ):
                token = issuer.token(now, ["keeper"], key=key, alg=alg, kid=kid)
                assert await status(client, token) == expected, (alg, kid)


async def test_settings_narrow_the_algorithms(archive: Archive, issuer: Issuer, clock: FakeClock) -> None:
    issuer.keys.append(listed(ec_key(), "curved"))
    jwts = settings_for(issuer, roles=KEEPER, algorithms=("ES256",))
    async with serving(archive, clock=clock, jwt=jwts) as client:
        assert await status(client, issuer.token(clock.now(), ["keeper"])) == 401
        token = issuer.token(clock.now(), ["keeper"], key=ec_key(), alg="ES256", kid="curved")
        assert await status(client, token) == 200


async def test_keys_rotate(client: httpx.AsyncClient, issuer: Issuer, clock: FakeClock) -> None:
    old = issuer.token(clock.now(), ["keeper"])
    assert await status(client, old) == 200
    issuer.keys = [listed(rsa_key(1), "second"), *issuer.keys]
    new = issuer.token(clock.now(), ["keeper"], key=rsa_key(1), kid="second")
    assert [await status(client, one) for one in (new, old, new)] == [200, 200, 200]
    assert issuer.asked["/keys"] == 2
    # At once again, and the first key is withdrawn.
    issuer.keys = [listed(rsa_key(2), "third")]
    newest = issuer.token(clock.now(), ["keeper"], key=rsa_key(2), kid="third")
    assert [await status(client, one) for one in (newest, old, new)] == [200, 401, 401]


async def test_a_key_that_was_withdrawn_is_forgotten_in_time(
    client: httpx.AsyncClient, issuer: Issuer, clock: FakeClock
) -> None:
    assert await status(client, issuer.token(clock.now(), ["keeper"])) == 200
    issuer.keys = [listed(rsa_key(1), "second")]
    clock.advance(3601)
    # Those who come first are let in, and have the keys asked for.
    token, end = issuer.token(clock.now(), ["keeper"]), time.monotonic() + PATIENCE_S
    while await status(client, token) == 200:
        in_time(end)
        await asyncio.sleep(0.01)
    assert issuer.asked["/keys"] in (2, 3)


async def test_a_flood_of_unknown_keys_is_not_passed_on(
    client: httpx.AsyncClient, issuer: Issuer, clock: FakeClock
) -> None:
    tokens = [issuer.token(clock.now(), ["keeper"], kid=f"no {number}") for number in range(40)]
    for start in (0, 20):
        answers = await asyncio.gather(*(status(client, one) for one in tokens[start : start + 20]))
        assert set(answers) == {401}
    for token in tokens:
        assert await status(client, token) == 401
    assert issuer.asked["/keys"] <= 5
    assert await status(client, issuer.token(clock.now(), ["keeper"])) == 200
    clock.advance(61)
    issuer.keys.append(listed(rsa_key(1), "second"))
    new = issuer.token(clock.now(), ["keeper"], key=rsa_key(1), kid="second")
    assert await status(client, new) == 200


async def test_tokens_of_others_are_no_reason_to_ask(
    client: httpx.AsyncClient, issuer: Issuer, clock: FakeClock
) -> None:
    for token in (
        issuer.token(clock.now(), iss="https://other.example"),
        issuer.token(clock.now() - dt.timedelta(days=1)),
        by_public_key(issuer, clock.now()),
        unsigned(issuer, clock.now()),
    ):
        assert await status(client, token) == 401
    assert issuer.asked == {}


BAD_DAYS: dict[str, Callable[[Issuer], None]] = {
    "hangs": lambda one: setattr(one, "silent", True),
    "fails": lambda one: setattr(one, "status", 503),
    "redirects": lambda one: setattr(one, "status", 302),
    "has no keys": lambda one: setattr(one, "keys", []),
    "lists no list": lambda one: setattr(one, "keys", "x"),
    "calls itself otherwise": lambda one: one.document.update(issuer="https://evil.example"),
    "has keys nowhere": lambda one: one.document.update(jwks_uri=None),
    "has keys in a file": lambda one: one.document.update(jwks_uri="file:///etc/passwd"),
    "has keys at a broken address": lambda one: one.document.update(jwks_uri="http://[::1"),
    "is too long": lambda one: one.document.update(more="x" * (2 << 20)),
}


@pytest.mark.parametrize("day", BAD_DAYS)
async def test_an_issuer_that_is_of_no_use_lets_nobody_in_and_nobody_out(
    archive: Archive, clock: FakeClock, day: str
) -> None:
    with issuing() as issuer:
        jwts = settings_for(issuer, roles=KEEPER, timeout_s=1.0 if day == "hangs" else 30.0)
        async with serving(archive, clock=clock, jwt=jwts) as client:
            token, new = (issuer.token(clock.now(), ["keeper"], kid=kid) for kid in ("first", "second"))
            BAD_DAYS[day](issuer)
            assert await status(client, token) == 401
            issuer.silent, issuer.status, issuer.document = False, 200, {}
            issuer.keys = [listed(rsa_key(), "first")]
            end = time.monotonic() + PATIENCE_S
            while await status(client, issuer.token(clock.now(), ["keeper"])) != 200:
                in_time(end)
                clock.advance(61)
            # Now it has a bad day again, and those who are known do not notice.
            BAD_DAYS[day](issuer)
            clock.advance(3500)
            token = issuer.token(clock.now(), ["keeper"])
            for _ in range(3):
                clock.advance(70)
                assert await status(client, token) == 200
            assert await status(client, new) == 401
            assert await status(client, token) == 200


async def test_an_issuer_that_is_not_there_is_found_when_it_is(archive: Archive, clock: FakeClock) -> None:
    secret = await a_key(archive, "ann", "config:saf")
    with issuing(absent=True) as issuer:
        async with serving(archive, clock=clock, jwt=settings_for(issuer, roles=KEEPER)) as client:
            assert await status(client, issuer.token(clock.now(), ["keeper"])) == 401
            assert await status(client, secret) == 200
            issuer.begin()
            assert await status(client, issuer.token(clock.now(), ["keeper"])) == 200


async def test_an_issuer_may_end_with_a_slash(archive: Archive, clock: FakeClock) -> None:
    for configured, said in (("", "/"), ("/", ""), ("/", "/")):
        with issuing() as issuer:
            jwts = {**settings_for(issuer, roles=KEEPER), "issuer": issuer.url + configured}
            issuer.document["issuer"] = issuer.url + said
            async with serving(archive, clock=clock, jwt=jwts) as client:
                token = issuer.token(clock.now(), ["keeper"], iss=issuer.url + said)
                assert await status(client, token) == 200


async def test_an_audience_is_one_of_several(archive: Archive, issuer: Issuer, clock: FakeClock) -> None:
    jwts = {**settings_for(issuer, roles=KEEPER), "audience": ("https://old.example", AUDIENCE)}
    async with serving(archive, clock=clock, jwt=jwts) as client:
        token = issuer.token(clock.now(), ["keeper"], aud=["https://else.example", AUDIENCE])
        assert await status(client, token) == 200


def a_certificate(place: Path) -> Path:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, rsa_key().public_key(), 1, day, day + dt.timedelta(days=9))
    (path := place / "certificate.pem").write_bytes(
        builder.sign(rsa_key(), hashes.SHA256()).public_bytes(Encoding.PEM)
    )
    return path


async def test_a_certificate_is_used_instead_of_the_keys(
    archive: Archive, issuer: Issuer, clock: FakeClock, tmp_path: Path
) -> None:
    public = tmp_path / "key.pem"
    public.write_bytes(pem(rsa_key()))
    for path in (a_certificate(tmp_path), public):
        jwts = settings_for(issuer, roles=KEEPER, certificate=path)
        async with serving(archive, clock=clock, jwt=jwts) as client:
            for kid in ("first", "any", None):
                assert await status(client, issuer.token(clock.now(), ["keeper"], kid=kid)) == 200
            assert await status(client, issuer.token(clock.now(), ["keeper"], key=rsa_key(1))) == 401
            curved = issuer.token(clock.now(), ["keeper"], key=ec_key(), alg="ES256")
            assert await status(client, curved) == 401
            assert await status(client, issuer.token(clock.now(), ["keeper"], aud="other")) == 401
            assert await status(client, by_public_key(issuer, clock.now())) == 401
    assert issuer.asked == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"nonsense", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n", "cannot be read"),
        (pem(rsa_key(7, 1024)), "has no key for RS256"),
    ],
)
def test_a_file_without_a_good_key_is_refused_at_the_start(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    jwts = {"issuer": "https://x.example", "audience": ["a"], "certificate": path}
    with pytest.raises(UnusableCertificate, match=said):
        web_tokens_of(AuthSettings.model_validate({"jwt": jwts}))


async def test_the_issuer_is_asked_for_roles_that_a_token_lacks(
    archive: Archive, issuer: Issuer, clock: FakeClock
) -> None:
    token, told = issuer.token(clock.now()), issuer.token(clock.now(), [])
    stranger, silent = issuer.token(clock.now(), jti="stranger"), issuer.token(clock.now(), jti="silent")
    issuer.people[token] = {"sub": "ann", CLAIM: {"roles": ["keeper"]}}
    issuer.people[told] = issuer.people[token]
    issuer.people[stranger] = {"sub": "bob", CLAIM: {"roles": ["keeper"]}}
    jwts = settings_for(issuer, roles=KEEPER, userinfo=True)
    async with serving(archive, clock=clock, jwt=jwts) as client:
        assert set(await asyncio.gather(*(status(client, token) for _ in range(9)))) == {200}
        assert issuer.asked["/userinfo"] == 1
        assert [await status(client, one) for one in (told, stranger, silent)] == [403, 403, 403]
        assert issuer.asked["/userinfo"] == 3
        issuer.status = 500
        clock.advance(200)
        assert await status(client, token) == 200
        clock.advance(200)
        assert await status(client, token) == 403
        assert [await status(client, token) for _ in range(3)] == [403, 403, 403]
        assert issuer.asked["/userinfo"] == 4
        issuer.status = 200
        clock.advance(11)
        assert await status(client, token) == 200
