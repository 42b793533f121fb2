"""The wire interface of the Photon Ranch API: sites switch by changing their base URL alone."""

from __future__ import annotations

from armillary.api.http.carriers import NO_COOKIES
from armillary.api.http.cors import Cors
from armillary.api.http.dialect import Dialect, DialectRouter
from armillary.api.photon_ranch import (
    about,
    downloads,
    events,
    images,
    nightlog,
    objects,
    pipe,
    rooms,
    sites,
    uploads,
)
from armillary.api.photon_ranch.errors import render
from armillary.api.photon_ranch.paths import normaliser, token_of
from armillary.api.photon_ranch.rights import governed
from armillary.settings import PhotonRanchSettings

__all__ = ["NAME", "dialect", "governed"]

NAME = "photon_ranch"
EXPOSED = (
    "ETag",
    "X-Armillary-Config-Version",
    "X-Armillary-Events-Null",
    "X-Armillary-Next-Cursor",
    "X-Armillary-Warnings",
    "X-Request-Id",
)
"""Headers with what the bodies of this interface have no room for."""

_router = DialectRouter(tags=[NAME])
# Paths that begin with a name of a site come last: what is fixed wins.
for _part in (about, events, nightlog, pipe, rooms, uploads, downloads, objects, images, sites):
    _router.include_router(_part.router)


def dialect(settings: PhotonRanchSettings) -> Dialect:
    """Return the interface with the prefixes and origins of an installation.

    It owns whatever no other interface does: the name of a site may be the first part of a path.
    """
    return Dialect(
        name=NAME,
        router=_router,
        prefixes=("", *filter(None, settings.prefixes)),
        render_error=render,
        normalise=normaliser(settings.prefixes),
        token_of=token_of,
        lane=pipe.lane,
        carriers=NO_COOKIES,
        cors=Cors(
            origins=settings.origins,
            methods=("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"),
            headers=(
                "Content-Type",
                "X-Amz-Date",
                "Authorization",
                "X-Api-Key",
                "X-Amz-Security-Token",
                "X-Amz-User-Agent",
            ),
            exposed=EXPOSED,
            always=True,
        ),
    )
