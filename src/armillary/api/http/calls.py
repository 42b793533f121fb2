"""One request in the hands of a route: the parts of the process, who asks, and the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from armillary.access.models import Principal
from armillary.context import Context


@dataclass(frozen=True, slots=True)
class Call:
    """What a route needs beside its own parameters.

    ``today`` is the day in UTC, which the embargo goes by; ``address`` is that of the client, empty if unknown.
    """

    context: Context
    principal: Principal
    today: date
    address: str


async def call_of(connection: HTTPConnection) -> Call:
    """Return the call that a connection is; its policy has found out who asks."""
    context: Context = connection.app.state.context
    return Call(
        context=context,
        principal=connection.state.principal,
        today=context.clock.now().date(),
        address=connection.client.host if connection.client else "",
    )


Ctx = Annotated[Call, Depends(call_of)]
