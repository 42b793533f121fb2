"""What others may ask of access: who shows what, new tokens and their ends, and grants before release."""

from armillary.access.addresses import Addresses
from armillary.access.audit import (
    MOST_SHOWN,
    EmbargoedRead,
    GrantAudit,
    GrantChange,
    forget_audit,
    grant_audit,
    note_read,
)
from armillary.access.authenticators import web_tokens_of
from armillary.access.grantees import email_of, emails_of, group_of, groups_of
from armillary.access.grants import (
    GivenGrant,
    GrantKind,
    grant,
    grant_kind,
    grantee_of,
    grants_of,
    list_grants,
    ungrant,
)
from armillary.access.modes import Door, Mode, Rules
from armillary.access.orders import ask_to_create, ask_to_revoke
from armillary.access.owners import (
    add_group,
    move_file_grants,
    remove_file_grants,
    remove_group,
    set_file_grants,
)
from armillary.access.scopes import parse_scopes
from armillary.access.tokens import Tokens, authenticate, create_token, list_tokens, revoke

__all__ = [
    "MOST_SHOWN",
    "Addresses",
    "Door",
    "EmbargoedRead",
    "GivenGrant",
    "GrantAudit",
    "GrantChange",
    "GrantKind",
    "Mode",
    "Rules",
    "Tokens",
    "add_group",
    "ask_to_create",
    "ask_to_revoke",
    "authenticate",
    "create_token",
    "email_of",
    "emails_of",
    "forget_audit",
    "grant",
    "grant_audit",
    "grant_kind",
    "grantee_of",
    "grants_of",
    "group_of",
    "groups_of",
    "list_grants",
    "list_tokens",
    "move_file_grants",
    "note_read",
    "parse_scopes",
    "remove_file_grants",
    "remove_group",
    "revoke",
    "set_file_grants",
    "ungrant",
    "web_tokens_of",
]
