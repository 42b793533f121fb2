"""The kinds of background work of access."""

from __future__ import annotations

from armillary.base.work import Kind, Later
from armillary.context import Context

CREATE, REVOKE = "create_token", "revoke_token"
KINDS: tuple[Kind[Context], ...] = (
    Kind(CREATE, Later("armillary.access.orders", "create_tokens")),
    Kind(REVOKE, Later("armillary.access.orders", "revoke_tokens")),
)
