"""Signing in with a token, which a cookie then carries, and signing out."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from armillary.access.models import Credentials, Principal
from armillary.api.http.calls import Ctx
from armillary.api.http.carriers import SESSION
from armillary.api.http.origins import CrossSite, is_cross_site
from armillary.console.rendering import page
from armillary.console.routing import READERS, anybody, page_router, read_form

router = page_router()
HOME = "/"


def local(address: str) -> str:
    """Return an address of this server to go on to; the home page for any other.

    Browsers read a backslash as a slash, and leave out tabs and line feeds.
    """
    plain = address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else HOME


def refuse_other_sites(request: Request) -> None:
    """Refuse a form that a page of another site sent, with cookies or without.

    Raises
    ------
    CrossSite
        If one did: it would sign somebody in as somebody else.
    """
    if is_cross_site(request.scope["headers"], request.app.state.trusted, ambient=True):
        raise CrossSite("This form came from a page of another site. Open the page here and send it again.")


@router.get("/sign-in", dependencies=anybody)
async def ask(request: Request) -> Response:
    """Show the form for a token."""
    return _form(request, request.query_params.get("next", HOME))


@router.post("/sign-in", dependencies=anybody)
async def sign_in(request: Request, ctx: Ctx) -> Response:
    """Let the browser carry a token from now on."""
    refuse_other_sites(request)
    form = await read_form(request)
    secret, following = form.text("token").strip(), local(form.text("next"))
    if await _bearer(request, ctx, secret) is None:
        return _form(request, following, refused=True)
    answer = RedirectResponse(following, HTTPStatus.SEE_OTHER)
    answer.set_cookie(SESSION, secret, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return answer


@router.post("/sign-out", dependencies=anybody)
async def sign_out(request: Request) -> Response:
    """Let the browser forget the token."""
    refuse_other_sites(request)
    answer = RedirectResponse(HOME, HTTPStatus.SEE_OTHER)
    for name in READERS.cookies:
        answer.delete_cookie(name, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return answer


async def _bearer(request: Request, ctx: Ctx, secret: str) -> Principal | None:
    """Return who bears a token; an address alone makes nobody known here."""
    if not secret:
        return None
    for authenticator in request.app.state.authenticators:
        found: Principal | None = await authenticator.identify(ctx.context, Credentials(secret, ""))
        if found is not None:
            return found
    return None


def _form(request: Request, following: str, *, refused: bool = False) -> Response:
    status = HTTPStatus.UNAUTHORIZED if refused else HTTPStatus.OK
    return page(request, "sign_in.html", {"next": local(following), "refused": refused}, status=status)
