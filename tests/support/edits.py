"""Edits as tests ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from armillary.api.gemini.requests import element_of, parse_request, read_items
from armillary.context import Context
from armillary.edits.acceptance import Key, rules_of, submit_edit, submit_edits
from armillary.edits.models import Origin, Target
from armillary.edits.words import request_of_words


@dataclass(frozen=True)
class Asked:
    """What came of it."""

    request_id: UUID | None
    order_ids: tuple[int, ...]
    reply: list[dict[str, Any]]


async def accept(
    context: Context, body: bytes, origin: Origin, *, idempotency_key: str | None = None
) -> Asked:
    """Submit the body of a header update as the web side does."""
    settings = context.settings.edits
    raw = parse_request(body, max_items=settings.max_items, max_cards=settings.max_cards)
    key = Key(idempotency_key, sha256(body).digest()) if idempotency_key else None
    found = await submit_edits(context, read_items(raw, rules_of(settings)), origin, key=key)
    return Asked(found.id, found.order_ids, [element_of(answer) for answer in found.answers])


async def accept_one(
    context: Context, values: Mapping[str, Any], name: str, origin: Origin, **options: Any
) -> Asked:
    """Submit an edit of one file, or raise why it is refused."""
    request = request_of_words(Target(name), values, rules_of(context.settings.edits), **options)
    answer, request_id = await submit_edit(context, request, origin)
    return Asked(request_id, (answer.order_id,), [element_of(answer)])
