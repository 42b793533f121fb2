"""Bodies of requests: read up to a limit, after it is known who asks.

FastAPI reads what a handler declares as its body whole, and before it asks the policy of the route. So handlers
declare a dependency instead, which comes after the policy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from armillary.api.http.heard import headers_of
from armillary.context import Context
from armillary.errors import BadRequest, RequestTooLarge

M = TypeVar("M", bound=BaseModel)
MAX_KEY = 200


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request, or refuse it as soon as it is known to be too large.

    Raises
    ------
    RequestTooLarge
        If it has more than ``limit`` bytes, declared or not.
    ClientDisconnect
        If the client is gone before it is whole.
    """
    declared = headers_of(request.scope).get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise RequestTooLarge(f"the body of {int(declared)} bytes is over the limit of {limit}; split it")
    # Most bodies come in one piece, and the generator of the framework takes longer to pass it on than to read it.
    parts, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise RequestTooLarge(f"the body is over the limit of {limit} bytes; split the request")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key of a request, or refuse one that no client should send.

    Raises
    ------
    BadRequest
        If it is no printable ASCII text of 1 to 200 characters.
    """
    said = headers_of(request.scope).get(b"idempotency-key")
    if said is None:
        return None
    key = said.decode("latin-1")
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise BadRequest("Idempotency-Key should be 1 to 200 printable ASCII characters")
    return key


def parsed(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Return a dependency that reads the body of a request as JSON of a model."""

    async def read(request: Request) -> M:
        context: Context = request.app.state.context
        body = await read_body(request, context.settings.edits.max_body)
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            places = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
            raise RequestValidationError(places) from None

    return read


def documented(model: type[BaseModel]) -> dict[str, Any]:
    """Return what OpenAPI is told of a body that is read by hand."""
    schema = model.model_json_schema()
    # References lead from the top of the document, where the definitions of this model are not.
    schema = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _inlined(value: Any, defined: Mapping[str, Any]) -> Any:
    """Return a schema with what it refers to in the place of each reference."""
    if isinstance(value, Mapping):
        if isinstance(ref := value.get("$ref"), str):
            return _inlined(defined[ref.removeprefix("#/$defs/")], defined)
        return {key: _inlined(below, defined) for key, below in value.items()}
    if isinstance(value, list):
        return [_inlined(below, defined) for below in value]
    return value
