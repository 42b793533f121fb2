"""Every statement on services, their configurations and commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.headers.services.models import (
    Command,
    Facts,
    Order,
    Outcome,
    Service,
    ServiceState,
    ServiceStatus,
)

CHANNEL = "header_commands"
"""The channel of signals that tells of commands, and of their ends; payloads are the names of instruments."""
_SERVICE = "instrument, state, error_code, message, config, epoch"
# Who comes first makes the row; each process that takes the service over counts it on.
_TAKE_OVER = f"""
INSERT INTO header_service AS s (instrument, state, epoch) VALUES ($1, 'STANDBY', 1)
ON CONFLICT (instrument) DO UPDATE SET epoch = s.epoch + 1 RETURNING {_SERVICE}
"""  # noqa: S608
_MOVE = """
UPDATE header_service SET state = $3, error_code = $4, message = $5, config = $6,
    since = CASE WHEN state = $3 THEN since ELSE now() END
WHERE instrument = $1 AND epoch = $2
"""
# Held to the end of a transaction: whoever takes over waits for it, and reads exposures as it leaves them.
_HOLD = "SELECT FROM header_service WHERE instrument = $1 AND epoch = $2 FOR SHARE"
_BEAT = """
INSERT INTO header_beat (instrument, beat, facts, metrics) VALUES ($1, clock_timestamp(), $2::text::json, $3)
ON CONFLICT (instrument) DO UPDATE SET beat = excluded.beat, facts = excluded.facts, metrics = excluded.metrics
"""
_STATUSES = """
SELECT s.instrument, s.state, s.error_code, s.message, s.since, b.beat, b.facts,
    coalesce(b.beat > clock_timestamp() - interval '5 seconds', false) AS alive
FROM header_service AS s LEFT JOIN header_beat AS b ON b.instrument = s.instrument
WHERE $1::text IS NULL OR s.instrument = $1 ORDER BY s.instrument
"""
_METRICS = """
SELECT instrument, metrics FROM header_beat WHERE beat > clock_timestamp() - interval '15 seconds' ORDER BY 1
"""
_KEEP_CONFIG = """
WITH new AS (
    INSERT INTO header_config (instrument, digest, config_rev, recipe, templates) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING RETURNING id
)
SELECT id FROM new UNION ALL SELECT id FROM header_config WHERE instrument = $1 AND digest = $2 LIMIT 1
"""
_CONFIG = "SELECT recipe, templates FROM header_config WHERE id = $1"
_ASK = """
INSERT INTO header_command (instrument, name, arguments, actor) VALUES ($1, $2, $3::text::json, $4) RETURNING id
"""
_WAITING = """
SELECT id, name, arguments, actor FROM header_command WHERE instrument = $1 AND outcome IS NULL ORDER BY id
"""
_DONE = """
UPDATE header_command SET done = clock_timestamp(), outcome = $2, code = $3, reason = $4, result = $5::text::json
WHERE id = $1 AND outcome IS NULL
"""
_OUTCOME = "SELECT outcome, code, reason, result FROM header_command WHERE id = $1 AND outcome IS NOT NULL"


async def take_over(connection: Any, instrument: str) -> Service:
    """Make a process the one that writes for an instrument, and return what its service remembers."""
    return _service_of(await connection.fetchrow(_TAKE_OVER, instrument))


async def move(connection: Any, one: Service) -> bool:
    """Write down the state of a service; False if another process has taken it over."""
    values = (one.state.value, one.error_code, one.message, one.config)
    done: str = await connection.execute(_MOVE, one.instrument, one.epoch, *values)
    return done.endswith(" 1")


async def hold(connection: Any, instrument: str, epoch: int) -> bool:
    """Keep others from taking a service over until the transaction ends; False if one has done it."""
    return bool(await connection.fetch(_HOLD, instrument, epoch))


async def beat(connection: Any, instrument: str, facts: Facts, metrics: str) -> None:
    """Note that a process lives, and what it tells."""
    await connection.execute(_BEAT, instrument, msgspec.json.encode(facts).decode(), metrics)


async def statuses(connection: AsyncConnection, instrument: str | None) -> list[ServiceStatus]:
    """Return how services are."""
    return [_status_of(row) for row in await connection.exec_driver_sql(_STATUSES, (instrument,))]


async def metrics(connection: AsyncConnection) -> list[tuple[str, str]]:
    """Return what living services have counted, by instrument."""
    return [(row.instrument, row.metrics) for row in await connection.exec_driver_sql(_METRICS)]


async def keep_config(
    connection: Any, instrument: str, digest: str, config_rev: str, recipe: bytes, templates: bytes
) -> int:
    """Keep a configuration, once, and return its number."""
    return int(await connection.fetchval(_KEEP_CONFIG, instrument, digest, config_rev, recipe, templates))


async def config(connection: Any, number: int) -> tuple[bytes, bytes] | None:
    """Return recipe and templates of a configuration."""
    row = await connection.fetchrow(_CONFIG, number)
    return (row["recipe"], row["templates"]) if row else None


async def ask(
    connection: AsyncConnection, instrument: str, name: Command, arguments: dict[str, Any], actor: str
) -> int:
    """Enter a command, and return its number."""
    values = (instrument, name.value, json.dumps(arguments), actor)
    return int((await connection.exec_driver_sql(_ASK, values)).scalar_one())


async def waiting(connection: Any, instrument: str) -> Sequence[Order]:
    """Return the commands that nobody has carried out, the oldest first."""
    rows = await connection.fetch(_WAITING, instrument)
    return [Order(row["id"], Command(row["name"]), _loaded(row["arguments"]), row["actor"]) for row in rows]


async def done(connection: Any, number: int, outcome: Outcome) -> bool:
    """Write down what became of a command; False if that was written down already."""
    values = (outcome.outcome, outcome.code, outcome.reason, json.dumps(outcome.result))
    told: str = await connection.execute(_DONE, number, *values)
    return told.endswith(" 1")


async def withdraw(connection: AsyncConnection, number: int) -> bool:
    """Take a command back that nobody has carried out."""
    values = (number, "withdrawn", None, None, "{}")
    return bool((await connection.exec_driver_sql(_DONE, values)).rowcount)


async def outcome(connection: AsyncConnection, number: int) -> Outcome | None:
    """Return what became of a command, if something has."""
    row = (await connection.exec_driver_sql(_OUTCOME, (number,))).first()
    if row is None:
        return None
    return Outcome(row.outcome, row.code, row.reason, _loaded(row.result) or {})


def _service_of(row: Any) -> Service:
    found = dict(row)
    return Service(**{**found, "state": ServiceState(found["state"])})


def _status_of(row: AnyRow) -> ServiceStatus:
    facts = _loaded(row.facts)
    heartbeat: datetime | None = row.beat
    return ServiceStatus(
        instrument=row.instrument,
        state=ServiceState(row.state),
        alive=row.alive,
        heartbeat=heartbeat,
        since=row.since,
        error_code=row.error_code,
        message=row.message,
        facts=msgspec.convert(facts, Facts) if facts else None,
    )


def _loaded(value: Any) -> Any:
    """Return JSON of a column, which some ways of asking have parsed already."""
    return json.loads(value) if isinstance(value, str) else value
