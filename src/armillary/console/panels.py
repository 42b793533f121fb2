"""The panels of the page of work: one for each noun that has some, for those whom its own routes tell of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from armillary.access.models import Scope
from armillary.api.http.calls import Call
from armillary.api.http.discretion import without_paths
from armillary.api.http.policy import Policy
from armillary.archive.cubes import service as cubes
from armillary.base.work import State, overview
from armillary.base.work.admin import OrderView, list_orders, waited_for
from armillary.console.reasons import ShownOrder, shown
from armillary.edits.changesets import service as changesets
from armillary.edits.service import Discretion
from armillary.exports import service as exports
from armillary.headers import service as headers
from armillary.operations import service as operations
from armillary.pipe import service as pipe
from armillary.publish.svo import service as svo

MOST_ORDERS, MOST_CHANGE_SETS, MOST_LINES = 25, 10, 10
MOST_INGESTIONS = 5
"""Each of them looks up what became of its pictures."""
AT_WORK = "live:work from:body"
AT_TIMES = "every 15s"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders and change sets the address of the page asks for."""

    state: State | None = None
    kind: str | None = None
    file: str | None = None
    cursor: int | None = None
    before: int | None = None


Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: who may see it, what it shows, and when a script asks for it anew."""

    name: str
    title: str
    policy: Policy
    look: Callable[[Call, Wanted], Awaitable[Values]]
    trigger: str = AT_WORK

    @property
    def template(self) -> str:
        """The template of what is inside."""
        return f"work/{self.name}.html"

    @property
    def scopes(self) -> list[str]:
        """The scopes of tokens that show it."""
        return [str(one) for one in (self.policy.scope, *self.policy.others) if one is not None]


async def shown_orders(call: Call, views: Sequence[OrderView]) -> list[ShownOrder]:
    """Return orders with what they wait for, without the directories of the server."""
    queued = [one.id for one in views if one.state is State.QUEUED and one.key is not None]
    async with call.context.database.begin() as connection:
        behind = await waited_for(connection, queued)
    errors: list[dict[str, Any]] = [{"error": one.error} for one in views]
    await without_paths(call, errors, "error")
    now = call.context.clock.now()
    return [
        shown(one, told["error"], one.error_code, behind=behind.get(one.id), now=now)
        for one, told in zip(views, errors, strict=True)
    ]


async def _orders(call: Call, wanted: Wanted) -> Values:
    names = None if wanted.file is None else operations.names_of(wanted.file)
    async with call.context.database.begin() as connection:
        found = await list_orders(
            connection,
            state=wanted.state,
            kind=wanted.kind,
            names=names,
            before=wanted.cursor,
            limit=MOST_ORDERS + 1,
        )
        queues = await overview.kinds(connection)
        failed = await overview.failed(connection)
    counts = {
        State.QUEUED: sum(one.waiting for one in queues),
        State.STARTED: sum(one.started for one in queues),
        State.FAILED: failed,
    }
    return {
        "orders": await shown_orders(call, found[:MOST_ORDERS]),
        "more": found[MOST_ORDERS - 1].id if len(found) > MOST_ORDERS else None,
        "counts": counts,
        "queues": queues,
    }


async def _change_sets(call: Call, wanted: Wanted) -> Values:
    known = Discretion(call.principal, call.today)
    async with call.context.database.begin() as connection:
        found = await changesets.overview(
            connection, before=wanted.before, count=MOST_CHANGE_SETS + 1, known=known
        )
    more = found[MOST_CHANGE_SETS - 1].id if len(found) > MOST_CHANGE_SETS else None
    return {"sets": found[:MOST_CHANGE_SETS], "more": more}


async def _exports(call: Call, wanted: Wanted) -> Values:
    async with call.context.database.begin() as connection:
        destinations = await exports.destinations(connection)
        found = await exports.overview(connection, None, MOST_LINES)
    return {"destinations": destinations, "waiting": found.waiting, "ended": found.ended}


async def _ingestion(call: Call, wanted: Wanted) -> Values:
    found = await cubes.ingestions(call.context, limit=MOST_INGESTIONS)
    views = await shown_orders(call, [one.latest.view for one in found])
    settings = call.context.settings.ingestion
    return {
        "roots": sorted(settings.roots),
        "lines": [
            (cubes.name_of(settings, one.root), one, order) for one, order in zip(found, views, strict=True)
        ],
    }


async def _pipe(call: Call, wanted: Wanted) -> Values:
    now = call.context.clock.now()
    async with call.context.database.begin() as connection:
        queues = await pipe.queues.states(connection)
        machines = [pipe.machines.seen(one, now) for one in await pipe.machines.list_all(connection)]
    return {"queues": queues, "machines": [(one, _word(one.status)) for one in machines]}


def _word(status: msgspec.Raw) -> str:
    """Return what a machine says of itself: its word, or the JSON that it sent."""
    found = msgspec.json.decode(status)
    return found if isinstance(found, str) else bytes(status).decode()[:200]


async def _headers(call: Call, wanted: Wanted) -> Values:
    services = await headers.statuses(call.context)
    async with call.context.database.begin() as connection:
        exposures = await headers.exposures(
            connection, instrument=None, night=None, state=None, before=None, limit=MOST_LINES
        )
    return {"services": services, "exposures": exposures}


async def _svo(call: Call, wanted: Wanted) -> Values:
    async with call.context.database.begin() as connection:
        found = await svo.standing(connection, MOST_LINES)
    return {"box": replace(found, orders=()), "orders": await shown_orders(call, found.orders)}


_OPERATORS = Policy(Scope.ADMIN)
PANELS = (
    Panel("orders", "Orders", _OPERATORS, _orders),
    Panel("changesets", "Change sets", Policy(Scope.EDIT), _change_sets),
    Panel("exports", "Exports", _OPERATORS, _exports),
    Panel("ingestion", "Ingestion", Policy(Scope.INGEST), _ingestion),
    Panel(
        "pipe",
        "PIPE queues and machines",
        Policy(Scope.READ, others=(Scope.PIPE_PRODUCE, Scope.PIPE_CONSUME, Scope.PIPE_ADMIN)),
        _pipe,
        AT_TIMES,
    ),
    Panel("headers", "Header service", Policy(Scope.READ, others=(Scope.OPERATOR,)), _headers, AT_TIMES),
    Panel("svo", "Virtual observatory", _OPERATORS, _svo),
)
"""In the order of the page; each policy is that of the routes of `/v1` about the same, or of those beside it."""
BY_NAME = {one.name: one for one in PANELS}


def seen_by(call: Call) -> list[Panel]:
    """Return the panels that somebody may see."""
    return [one for one in PANELS if one.policy.lets_in(call.principal)]


async def values_of(call: Call, panel: Panel, wanted: Wanted) -> dict[str, Any]:
    """Return what the template of a panel is given."""
    return {panel.name: await panel.look(call, wanted), "wanted": asdict(wanted)}
