"""What may carry a token: a bearer, a header, and the cookies of the systems that this program replaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from starlette.requests import HTTPConnection
from starlette.types import Scope

from armillary.access.models import Credentials
from armillary.api.http.heard import headers_of

MAX_SECRET = 8192
"""What a JSON web token may have; ours are much shorter."""
SCHEMES = frozenset({"bearer", "token"})
"""Words in front of a token in ``Authorization``: that of RFC 6750, and that of frameworks which have another."""
_SCHEMES = tuple(f"{scheme} ".encode() for scheme in SCHEMES)
SESSION = "armillary_session"
"""The cookie by which a browser carries the token that somebody signed in with."""
SHOWN_BY_PATH = "shown_by_path"
"""Where the state of a connection has the token that its path bears, if the dialect knows such paths."""


@dataclass(frozen=True)
class Carriers:
    """Names of the cookies and headers that are looked at beside ``Authorization``: a `Bearer` or a `Token`."""

    cookies: tuple[str, ...] = ()
    headers: tuple[str, ...] = ("X-Api-Key",)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The headers that may say who asks; an answer for one is none for another, nor for who shows nothing."""
        return ("Authorization", "Cookie", *self.headers)

    @cached_property
    def vary(self) -> bytes:
        """The same as a header of answers that depend on nothing else."""
        return ", ".join(self.names).encode("latin-1")

    @cached_property
    def _raw(self) -> tuple[bytes, ...]:
        return tuple(name.lower().encode() for name in self.names)

    @cached_property
    def _own(self) -> tuple[bytes, ...]:
        return tuple(name.lower().encode() for name in self.headers)

    def shown(self, headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """Return the headers of a request that may carry a token, be it a valid one or not."""
        return [(name, headers[name]) for name in self._raw if name in headers]

    def shown_on_purpose(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Tell whether a request shows a token where no browser puts one unasked."""
        return any(
            (name in self._own and bool(value.strip()))
            or (name == b"authorization" and value.lower().startswith(_SCHEMES))
            for name, value in headers
        )

    def credentials(self, scope: Scope) -> list[Credentials]:
        """Return what was shown. There is always one: whoever shows no secret still has an address."""
        address = client[0] if (client := scope.get("client")) else ""
        return [Credentials(secret, address) for secret in self.secrets(scope) or [""]]

    def secrets(self, scope: Scope) -> list[str]:
        """Return the secrets that were shown: bearer, headers, path, cookies; nothing longer than any token."""
        said = headers_of(scope)
        shown = [said.get(name, b"").decode("latin-1") for name in self._own]
        shown.append(scope["state"].get(SHOWN_BY_PATH, ""))
        if b"authorization" in said:
            kind, _, bearer = said[b"authorization"].decode("latin-1").partition(" ")
            shown.insert(0, bearer.strip() if kind.lower() in SCHEMES else "")
        if b"cookie" in said:
            sent = HTTPConnection(scope).cookies
            shown += [sent.get(name, "") for name in self.cookies]
        return [secret for secret in shown if 0 < len(secret) <= MAX_SECRET]


NO_COOKIES = Carriers()
"""What carries a token everywhere; a cookie is sent by browsers unasked, so a dialect must name its own."""
