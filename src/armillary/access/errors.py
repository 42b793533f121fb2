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


class ScopeNotOffered(BadRequest):
    """Nothing asks for this scope, so a token with it would open nothing."""

    code = "scope_not_offered"


class TokenExists(Conflict):
    """A token of that name is in use; revoke it first or choose another name."""

    code = "token_exists"
