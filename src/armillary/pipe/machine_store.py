"""Every statement on machines and what they said last."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.pipe.models import Machine

PUT_MACHINE = """
INSERT INTO pipe_machine AS m (name, status, details, updated_ms) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET status = EXCLUDED.status, details = EXCLUDED.details,
    updated_ms = EXCLUDED.updated_ms
"""

MACHINES = """
SELECT name, status, details, updated_ms FROM pipe_machine
WHERE $1::text IS NULL OR name = $1 ORDER BY name COLLATE "C"
"""

DROP_MACHINE = "DELETE FROM pipe_machine WHERE name = $1"


async def put_machine(connection: AsyncConnection, machine: Machine) -> None:
    """Record what a machine says of itself, in place of all that it said before."""
    status, details = bytes(machine.status).decode(), bytes(machine.details).decode()
    values = (machine.pipe_id, status, details, machine.last_updated)
    await connection.exec_driver_sql(PUT_MACHINE, values)


async def machines(connection: AsyncConnection, name: str | None = None) -> list[Machine]:
    """Return what one machine, or all, said last."""
    rows = await connection.exec_driver_sql(MACHINES, (name,))
    return [
        Machine(row.name, msgspec.Raw(row.status), row.updated_ms, msgspec.Raw(row.details)) for row in rows
    ]


async def drop_machine(connection: AsyncConnection, name: str) -> None:
    """Forget a machine."""
    await connection.exec_driver_sql(DROP_MACHINE, (name,))
