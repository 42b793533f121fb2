"""How much callers may send and hold."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from pydantic import BaseModel, Field

from armillary.settings.forms import Origin


class LimitSettings(BaseModel):
    """How much callers may send and hold; a rate or a number of connections of 0 sets no limit."""

    anonymous_per_s: float = Field(
        50.0, ge=0, description="Requests per second of an address without a token."
    )
    anonymous_burst: int = Field(
        1000,
        ge=1,
        description="Requests that an address may send at once; a page of pictures sends a hundred.",
    )
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
