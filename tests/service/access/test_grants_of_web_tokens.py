"""Whoever signed in elsewhere has what was granted to the verified address and to the groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from armillary.access import service
from armillary.access.models import Credentials, Grantee, Grants, Holder
from armillary.access.tokens import Tokens
from armillary.access.web_tokens import WebTokens
from armillary.settings.auth import AuthSettings
from tests.support.archive import Archive
from tests.support.issuer import CLAIM, Issuer, issuing, settings_for
from tests.support.statements import asked_of

ANN = {"email": "Ann@Sun.Example", "email_verified": True}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Run an issuer."""
    with issuing() as one:
        yield one


def web_tokens(issuer: Issuer, **given: Any) -> WebTokens:
    jwt = settings_for(issuer, groups_claim=["groups"], **given)
    (found,) = service.web_tokens_of(AuthSettings.model_validate({"jwt": jwt}))
    return found


async def grants_of(archive: Archive, issuer: Issuer, known: WebTokens, **claims: Any) -> Grants:
    token = issuer.token(archive.context.clock.now(), **{"roles": [], **claims})
    principal = await known.identify(archive.context, Credentials(token, ""))
    assert principal is not None
    return principal.grants


async def grant(archive: Archive, holder: Holder, name: str, program: str) -> None:
    async with archive.context.database.begin() as connection:
        now = archive.context.clock.now()
        await service.grant(connection, Grantee(holder, name), "program", program, now=now)


async def given_all(archive: Archive) -> None:
    await grant(archive, Holder.EMAIL, "ann@sun.example", "P1")
    await grant(archive, Holder.GROUP, "swedish", "P2")
    # The issuer calls her so, which makes her nobody who bears a token of ours.
    await grant(archive, Holder.TOKEN, "ann", "P3")
    await grant(archive, Holder.GROUP, "ann@sun.example", "P4")


@pytest.mark.parametrize(
    ("claims", "programs"),
    [
        (ANN, {"P1"}),
        (ANN | {"groups": ["swedish", "others"]}, {"P1", "P2"}),
        ({"groups": "swedish"}, {"P2"}),
        ({"groups": ["Swedish", "ann@sun.example@x"]}, set()),
        (ANN | {"email_verified": False}, set()),
        (ANN | {"email_verified": "true"}, set()),
        ({"email": "ann@sun.example"}, set()),
        ({"email": "bob@sun.example", "email_verified": True}, set()),
        ({}, set()),
    ],
)
async def test_verified_addresses_and_groups_have_their_grants(
    archive: Archive, issuer: Issuer, claims: dict[str, Any], programs: set[str]
) -> None:
    await given_all(archive)
    known = web_tokens(issuer)
    async with known.open():
        assert (await grants_of(archive, issuer, known, **claims)).programs == programs


async def test_an_address_is_verified_by_the_answer_that_tells_it(archive: Archive, issuer: Issuer) -> None:
    await given_all(archive)
    known = web_tokens(issuer, userinfo=True)
    now = archive.context.clock.now()
    # The token says that some address was verified, and the issuer tells another one.
    mixed, whole = issuer.token(now, email_verified=True), issuer.token(now, jti="whole")
    told = {"sub": "ann", "email": "ann@sun.example", CLAIM: {"roles": []}}
    issuer.people[mixed], issuer.people[whole] = told, told | {"email_verified": True}
    async with known.open():
        found = [await known.identify(archive.context, Credentials(one, "")) for one in (mixed, whole)]
    assert [one.grants.programs if one else None for one in found] == [set(), {"P1"}]


async def test_what_was_granted_is_remembered_until_it_changes(archive: Archive, issuer: Issuer) -> None:
    await given_all(archive)
    known = web_tokens(issuer)
    async with known.open(), Tokens().following(archive.context, known.recent):
        assert (await grants_of(archive, issuer, known, **ANN)).programs == {"P1"}
        with asked_of(archive.context.database) as asked:
            assert (await grants_of(archive, issuer, known, **ANN, jti="another")).programs == {"P1"}
        assert asked.statements == []
        await grant(archive, Holder.EMAIL, "ann@sun.example", "P9")
        assert (await grants_of(archive, issuer, known, **ANN)).programs == {"P1", "P9"}
