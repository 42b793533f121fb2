"""Edit requests as the arguments of work orders, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from armillary.archive.catalog.models import Version
from armillary.base.work import JsonObject, NewOrder
from armillary.edits.errors import ItemRefused
from armillary.edits.kinds import UPDATE_HEADERS
from armillary.edits.models import CardState, EditRequest, Origin, Target
from armillary.edits.validation import Rules, checked
from armillary.edits.words import request_of_words
from armillary.fits.models import CardChange

_REQUEST = "edit"
"""The argument that holds the request. Orders of before have its parts among the arguments."""


def order_of(
    request: EditRequest, version: Version, origin: Origin, request_id: UUID | None, index: int
) -> NewOrder:
    """Return the order that carries a request out on the file of a version."""
    args: JsonObject = {
        "file_key": version.location.file_key,
        "file_id": version.file_id,
        "name": version.name,
        _REQUEST: to_text(request),
        "address": origin.address,
        "why": origin.why,
        "batch": origin.batch,
    }
    return NewOrder(
        kind=UPDATE_HEADERS,
        args=args,
        key=version.location.file_key,
        request_id=request_id,
        item_index=index,
        actor=origin.actor,
        batch=origin.batch,
        response_required=True,
    )


def request_of(args: Mapping[str, Any], rules: Rules) -> EditRequest:
    """Return what an order asks for, judged anew: the worker does not trust the web side.

    Raises
    ------
    ItemRefused
        With the reason.
    """
    try:
        if _REQUEST in args:
            return checked(of_text(args[_REQUEST]), rules)
        return _of_before(args, rules)
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise ItemRefused(f"The order cannot be read: {error}") from None


def to_text(request: EditRequest) -> str:
    """Return a request as JSON text: as jsonb the float 1e5 would become an integer."""
    target, conditions = request.target, ("if_data_md5", "expect_data_md5")
    fields = {
        "filename": target.filename,
        "data_label": target.data_label,
        "primary": _pairs(request.primary),
        "extension": request.extension,
        "cards": _pairs(request.cards),
        "reject_new": request.reject_new,
        **{name: getattr(request, name) for name in conditions},
        "if_cards": [(one.keyword, one.value, one.there) for one in request.if_cards],
    }
    return json.dumps({name: value for name, value in fields.items() if value not in (None, [])})


def of_text(text: str) -> EditRequest:
    """Return the request that `to_text` wrote down; ValueError, TypeError or KeyError if it is none."""
    fields = json.loads(text)
    extension = fields["extension"]
    return EditRequest(
        target=Target(fields.get("filename"), fields.get("data_label")),
        primary=_changes(fields.get("primary", ())),
        extension=tuple(extension) if isinstance(extension, list) else extension,
        cards=_changes(fields.get("cards", ())),
        reject_new=fields["reject_new"],
        if_data_md5=fields.get("if_data_md5"),
        expect_data_md5=fields.get("expect_data_md5"),
        if_cards=tuple(CardState(*parts) for parts in fields.get("if_cards", ())),
    )


def _pairs(changes: tuple[CardChange, ...]) -> list[tuple[Any, ...]]:
    return [
        (one.keyword, one.value) if one.comment is None else (one.keyword, one.value, one.comment)
        for one in changes
    ]


def _changes(pairs: Any) -> tuple[CardChange, ...]:
    return tuple(CardChange(*parts) for parts in pairs)


def _of_before(args: Mapping[str, Any], rules: Rules) -> EditRequest:
    """Return the request of an order that was accepted by a release of before."""
    values = {key: args[key] for key in ("qa_state", "raw_site", "release") if key in args}
    if args.get("generic") is not None:
        values["generic"] = json.loads(args["generic"])
    options = {key: args.get(key) for key in ("reject_new", "extension", "if_data_md5", "expect_data_md5")}
    return request_of_words(Target(args.get("name")), values, rules, **options)
