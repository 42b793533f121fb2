"""What answers to writes mean, by status and structure; the words of messages are for people alone."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from armillary.publish.svo.errors import (
    SvoConflict,
    SvoRefused,
    SvoUnauthorized,
    SvoUnclear,
    UnusableSvoReply,
)
from armillary.publish.svo.models import LOCATION
from armillary.publish.svo.transport import Answer

WHOLE = "__all__"
"""Where a refusal stands that is about several fields of a location together: another one has them."""
SHOWN = 200
GOOD = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})


def checked(answer: Answer, good: HTTPStatus) -> None:
    """Let a good answer pass.

    Raises
    ------
    SvoUnauthorized
        If the server does not say why, but will not be written to.
    SvoConflict
        If a location with the same URL or path is there.
    SvoRefused
        If a field is not accepted, which the message names.
    SvoUnclear
        If the server failed.
    """
    if answer.status == good or answer.status in GOOD:
        return
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise SvoUnauthorized
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SvoUnclear(f"The virtual observatory fails with status {answer.status}.")
    if answer.status == HTTPStatus.BAD_REQUEST:
        raise _refusal(answer)
    raise SvoRefused(f"The virtual observatory refuses it with status {answer.status}.")


def _refusal(answer: Answer) -> SvoRefused:
    try:
        body = answer.json()
    except UnusableSvoReply:
        body = None
    told = list(_told(body))
    fields = frozenset(field for _, field, _ in told)
    text = "; ".join(f"{field}: {message}" if field else message for _, field, message in told)
    text = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    if any(resource == LOCATION and field == WHOLE for resource, field, _ in told):
        return SvoConflict(f"Another record's location has this URL or path ({text}).", fields=fields)
    return SvoRefused(f"The virtual observatory refuses it: {text or 'status 400'}.", fields=fields)


def _told(body: Any) -> Iterator[tuple[str, str, str]]:
    """Yield resource, field and message of every refusal in a body."""
    for resource, below in body.items() if isinstance(body, dict) else ():
        if not isinstance(below, dict):
            yield resource, "", _flat(below)
            continue
        for field, messages in below.items():
            yield resource, str(field), _flat(messages)


def _flat(messages: Any) -> str:
    every = messages if isinstance(messages, list) else [messages]
    return " ".join(" ".join(str(one).split()) for one in every)
