"""What others may ask of access: who shows what, new tokens and their ends, and grants before release."""

from armillary.access.addresses import Addresses
from armillary.access.authenticators import web_tokens_of
from armillary.access.grants import GrantKind, grant, grant_kind, grants_of, ungrant
from armillary.access.modes import Door, Mode, Rules
from armillary.access.scopes import parse_scopes
from armillary.access.tokens import Tokens, authenticate, create_token, list_tokens, revoke

__all__ = [
    "Addresses",
    "Door",
    "GrantKind",
    "Mode",
    "Rules",
    "Tokens",
    "authenticate",
    "create_token",
    "grant",
    "grant_kind",
    "grants_of",
    "list_tokens",
    "parse_scopes",
    "revoke",
    "ungrant",
    "web_tokens_of",
]
