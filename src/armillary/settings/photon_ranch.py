"""The interface of the Photon Ranch API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from armillary.settings.forms import MIB, Origin

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
