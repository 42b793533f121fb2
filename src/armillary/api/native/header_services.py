"""The header services of instruments: how each is, and commands to it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.body import read_body
from armillary.api.http.calls import Ctx
from armillary.api.native.exposed import Instrument, operators, readers
from armillary.api.native.routing import REFUSALS, WRITE_REFUSALS, failures, storable_words
from armillary.errors import BadRequest
from armillary.headers import service
from armillary.headers.errors import (
    AnnexUnusable,
    CommandFailed,
    CommandRefused,
    ConfigurationRefused,
    ServiceAway,
    UnknownImage,
    UnknownInstrument,
)
from armillary.headers.services.models import Command, ServiceStatus

router = APIRouter()
MAX_BODY = 10_000
_SERVICE = {
    "instrument": "spec1",
    "state": "ENABLED",
    "alive": True,
    "heartbeat": "2026-01-01T05:00:00Z",
    "since": "2026-01-01T00:00:00Z",
    "error_code": None,
    "message": None,
    "facts": {
        "version": "1.0",
        "pid": 4711,
        "host": "summit",
        "config_rev": "9f86d081",
        "template_revs": {"raw": "60303ae2"},
        "code_rev": "1",
        "simulation": False,
        "log_level": "WARNING",
        "open_exposures": 1,
        "backlog": False,
    },
}


class Services(Answer):
    """All header services."""

    services: list[ServiceStatus]


class CarriedOut(Answer):
    """The command that was carried out, the state of the service after it if that changed, and what came of it."""

    command: Command
    state: str | None
    result: dict[str, Any]


@router.get(
    "/v1/services",
    dependencies=readers,
    responses=answers(Services, {"services": [_SERVICE]}) | failures(*REFUSALS),
)
async def services(ctx: Ctx) -> JSONResponse:
    """List the header services of all instruments."""
    return answered(Services(services=await service.statuses(ctx.context)))


@router.get(
    "/v1/services/{instrument}",
    dependencies=readers,
    responses=answers(ServiceStatus, _SERVICE) | failures(UnknownInstrument, *REFUSALS),
)
async def one_service(ctx: Ctx, instrument: Instrument) -> JSONResponse:
    """Return how the header service of an instrument is; `alive`: a process has told of itself just now."""
    storable_words(instrument)
    return answered(await service.status(ctx.context, instrument))


async def _arguments(request: Request) -> dict[str, Any]:
    body = await read_body(request, MAX_BODY)
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadRequest(f"Arguments of a command are a JSON object: {error}.") from None


@router.post(
    "/v1/services/{instrument}/commands/{command}",
    dependencies=operators,
    responses=answers(CarriedOut, {"command": "enable", "state": "ENABLED", "result": {"state": "ENABLED"}})
    | failures(
        BadRequest,
        UnknownInstrument,
        UnknownImage,
        CommandRefused,
        ConfigurationRefused,
        CommandFailed,
        ServiceAway,
        AnnexUnusable,
        *WRITE_REFUSALS,
    ),
    openapi_extra={
        "requestBody": {
            "required": False,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def command(
    ctx: Ctx,
    instrument: Instrument,
    command: Command,
    arguments: Annotated[dict[str, Any], Depends(_arguments)],
) -> JSONResponse:
    """Give a command to a service and wait until it has been carried out.

    `start` reads and lints the configuration, `enable` lets headers be built, `disable` and `standby` lead back,
    `exit` ends the process. `set_log_level` takes `level`, `rebuild` takes `image_id`, `reannounce` takes
    `image_id` or `night`. A command that the state forbids is refused (409) with its reason.
    """
    storable_words(instrument, *_texts(arguments))
    found = await service.command(ctx.context, instrument, command, arguments, actor=ctx.principal.name)
    return answered(CarriedOut(command=command, state=found.get("state"), result=found))


def _texts(value: Any) -> list[str]:
    """Return all texts of a value, keys too; nothing that is nested deeper than any argument is kept."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for key, one in value.items() for text in (key, *_texts(one))]
        case list():
            return [text for one in value for text in _texts(one)]
    return []
