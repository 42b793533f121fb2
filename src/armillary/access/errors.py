"""What goes wrong with tokens and scopes."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, Conflict


class Unauthorized(ArmillaryError):
    """Show a token: create one with `armillary token create NAME --scope SCOPE`."""

    code, status = "unauthorized", HTTPStatus.UNAUTHORIZED


class ScopeMissing(ArmillaryError):
    """The token lacks the required scope."""

    code, status = "scope_missing", HTTPStatus.FORBIDDEN


class UnknownScope(BadRequest):
    """There is no such scope."""

    code = "unknown_scope"


class ScopeNotLimitable(BadRequest):
    """This scope cannot be limited to a site or queue, since no route that asks for it tells them apart."""

    code = "scope_not_limitable"


class InvalidGrantee(BadRequest):
    """That is no e-mail address, or no name of a group; write an address as `name@host`."""

    code = "invalid_grantee"


class TokenExists(Conflict):
    """A token of that name is in use; revoke it first or choose another name."""

    code = "token_exists"


class UnknownRoute(ArmillaryError):
    """A setting opens or closes a route that does not exist; write it as in the reference: `POST /upload`."""

    code = "unknown_route"


class UnusableCertificate(ArmillaryError):
    """The file that `auth.jwt.certificate` names holds no usable certificate or public key."""

    code = "unusable_certificate"
