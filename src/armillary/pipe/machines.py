"""What the machines that work on queues say of themselves."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.pipe import machine_store as store
from armillary.pipe.documents import MachineStatus
from armillary.pipe.errors import UnknownMachine
from armillary.pipe.models import Machine


async def tell(
    connection: AsyncConnection,
    name: str,
    *,
    status: bytes | msgspec.Raw,
    details: bytes | msgspec.Raw,
    now: datetime,
) -> Machine:
    """Record what a machine says of itself, in place of all that it said before; both are JSON."""
    said = Machine(name, msgspec.Raw(status), int(now.timestamp() * 1000), msgspec.Raw(details))
    await store.put_machine(connection, said)
    return said


async def find(connection: AsyncConnection, name: str) -> Machine:
    """Return what a machine said last.

    Raises
    ------
    UnknownMachine
        If it said nothing, or was forgotten.
    """
    found = await store.machines(connection, name)
    if not found:
        raise UnknownMachine(f"PIPE machine not found: {name}")
    return found[0]


async def list_all(connection: AsyncConnection) -> list[Machine]:
    """Return what every machine said last."""
    return await store.machines(connection)


async def forget(connection: AsyncConnection, name: str) -> None:
    """Forget a machine, if it is known."""
    await store.drop_machine(connection, name)


def seen(machine: Machine, now: datetime) -> MachineStatus:
    """Return what a machine said, with its age."""
    return MachineStatus(
        pipe_id=machine.pipe_id,
        status=machine.status,
        last_updated=machine.last_updated,
        details=machine.details,
        last_seen_age_s=max(0.0, round(now.timestamp() - machine.last_updated / 1000, 3)),
    )
