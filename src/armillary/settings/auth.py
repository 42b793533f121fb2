"""Settings of who may use the interface of Photon Ranch, and how it is found out who asks."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SiteName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f,]{1,128}$")]
SiteScope = Literal[
    "read", "upload", "config", "note", "room", "pipe.produce", "pipe.consume", "pipe.admin", "site", "pipe"
]
RouteName = Annotated[str, Field(pattern=r"^[A-Z]+ /\S*$")]


class AddressSettings(BaseModel):
    """Networks from which requests of sites come that can show no key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        min_length=1, description="Addresses or networks, as `192.0.2.7` or `10.1.0.0/16`."
    )
    sites: tuple[SiteName, ...] = Field(
        min_length=1, description="Sites, or names of queues, that they are of."
    )
    scopes: tuple[SiteScope, ...] = Field(
        ("read", "upload", "site", "pipe"), description="What they may do there, as in scopes of tokens."
    )


def _encrypted_or_near(url: str) -> str:
    host = urlsplit(url).hostname or ""
    if url.startswith("http:") and host not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("an issuer on another machine has to be reached by https")
    return url


class RoleSettings(BaseModel):
    """What people with a role may do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scopes: tuple[SiteScope | Literal["edit", "ingest", "admin"], ...] = Field(
        min_length=1, description="As in scopes of tokens."
    )
    sites: tuple[SiteName, ...] = Field((), description="Sites, or names of queues; empty: all of them.")


class JwtSettings(BaseModel):
    """People who signed in elsewhere: JSON web tokens of an OpenID Connect issuer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, AfterValidator(_encrypted_or_near)] = Field(
        "",
        pattern=r"^$|^https?://[^/?#@\s]+[^?#@\s]*$",
        description="Address of the issuer, as its tokens name it; empty: no such token is accepted.",
    )
    audience: tuple[str, ...] = Field(
        (), description="Whom tokens have to be for: one of these. Needed where there is an issuer."
    )
    algorithms: tuple[Literal["RS256", "ES256"], ...] = Field(
        ("RS256", "ES256"), min_length=1, description="How tokens may be signed."
    )
    certificate: Path | None = Field(
        None,
        description="File of a certificate or public key (PEM) that is used instead of the issuer's keys.",
    )
    claim: tuple[str, ...] = Field(
        ("https://photonranch.org/user_metadata", "roles"),
        min_length=1,
        description="Where the roles are in a token: names of claims, from outside in.",
    )
    name_claim: tuple[str, ...] = Field(
        ("sub",), min_length=1, description="Where the name is that signs what somebody does."
    )
    email_claim: tuple[str, ...] = Field(
        ("email",), min_length=1, description="Where the e-mail address is, which grants may be made to."
    )
    verified_claim: tuple[str, ...] = Field(
        ("email_verified",),
        min_length=1,
        description="Where it is said that the address was verified; unless it is true, the address counts for"
        " nothing.",
    )
    groups_claim: tuple[str, ...] = Field(
        (), description="Where the groups are, which grants may be made to; empty: tokens tell of no groups."
    )
    roles: dict[str, RoleSettings] = Field(
        {},
        description="What each role may do; `*` is everybody who signed in. In JSON:"
        ' `{"operator": {"scopes": ["site", "pipe"], "sites": ["saf"]}}`.',
    )
    userinfo: bool = Field(
        False,
        description="Ask the issuer where a token has no roles; a verified address and groups that it tells then"
        " count, too.",
    )
    userinfo_s: float = Field(300.0, gt=0, description="Seconds that such an answer is remembered.")
    refresh_s: float = Field(3600.0, gt=0, description="Seconds after which the keys are asked for again.")
    timeout_s: float = Field(5.0, gt=0, le=60, description="Longest wait for an answer of the issuer.")
    leeway_s: float = Field(5.0, ge=0, le=300, description="Seconds that the clocks may differ.")

    @model_validator(mode="after")
    def _has_audience(self) -> JwtSettings:
        if self.issuer and not self.audience:
            raise ValueError(
                "auth.jwt.audience is needed: a token for another program must not open this one"
            )
        return self


class AuthSettings(BaseModel):
    """What the interface of Photon Ranch asks of its callers."""

    mode: Literal["open", "compat", "enforced"] = Field(
        "enforced",
        description="`enforced` asks for a permission for everything that changes something, `compat` for what the"
        " deployed service asks for, `open` for nothing.",
    )
    anonymous_read: bool = Field(True, description="Let anybody read where the mode is `enforced`.")
    routes: dict[RouteName, Literal["open", "closed"]] = Field(
        {},
        description="Single routes that are `open` or `closed` whatever the mode is, as"
        ' `{"POST /upload": "open"}`; written as in the list of routes.',
    )
    addresses: tuple[AddressSettings, ...] = Field(
        (), description="Networks that sites are known by which show no key; JSON in the environment."
    )
    jwt: JwtSettings = JwtSettings()
