"""What the database does for a statement of the program: plans, read as PostgreSQL explains them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.postgres.server import EmbeddedServer

_DIALECT = asyncpg_dialect.dialect()


@dataclass(frozen=True)
class Statement:
    """The text of a statement and its parameters, as the driver gets them."""

    text: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, select: sa.Select[Any]) -> Statement:
        """Compile a query as the program does."""
        compiled: Any = select.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        return cls(str(compiled), tuple(compiled.params[name] for name in compiled.positiontup))

    def execution(self, name: str) -> str:
        """Return the command that executes it under the name that it was prepared by."""
        return f"EXECUTE {name}" + (f"({', '.join(map(_literal, self.values))})" if self.values else "")


def _literal(value: Any) -> str:
    match value:
        case list() | tuple():
            value = (
                "{" + ",".join(json.dumps(one) if isinstance(one, str) else str(one) for one in value) + "}"
            )
        case datetime() | date():
            value = value.isoformat()
    return "'" + str(value).replace("'", "''") + "'"


@dataclass
class Overheard:
    """A connection that keeps the queries that go over it."""

    connection: AsyncConnection
    statements: list[Statement] = field(default_factory=list)

    async def execute(self, query: sa.Select[Any], values: Mapping[str, Any] | None = None) -> Any:
        """Keep a query with the values of its parameters, then run it."""
        self.statements.append(Statement.of(query.params(values or {})))
        return await self.connection.execute(query, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@dataclass(frozen=True)
class Plan:
    """How a statement was carried out."""

    root: Mapping[str, Any]
    execution_ms: float

    def nodes(self) -> Iterator[Mapping[str, Any]]:
        """Yield every step."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.get("Plans", ())

    @property
    def indexes(self) -> set[str]:
        """The indexes that were used."""
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}

    @property
    def scanned(self) -> set[str]:
        """The tables that were read from end to end."""
        return {node["Relation Name"] for node in self.nodes() if "Seq Scan" in node["Node Type"]}

    @property
    def sorted_rows(self) -> int:
        """The most rows that a step put in order."""
        sorts = [node for node in self.nodes() if "Sort" in node["Node Type"]]
        return max((below["Actual Rows"] for node in sorts for below in node["Plans"]), default=0)

    @property
    def fetched_rows(self) -> int:
        """The most rows that a step took from a table, those that did not fit included."""
        return max(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            for node in self.nodes()
            if "Relation Name" in node
        )

    @property
    def buffers(self) -> int:
        """Blocks of 8 KiB that were looked at."""
        return int(self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"])

    def __str__(self) -> str:
        return json.dumps(self.root, indent=1)


@asynccontextmanager
async def planner(
    server: EmbeddedServer, database: str, *, generic: bool, blind: bool = False
) -> AsyncIterator[asyncpg.Connection]:
    """Open a session that plans for values to come if ``generic``, and without any statistics if ``blind``."""
    connection = await asyncpg.connect(host=server.dsn.host, user="postgres", database=database)
    try:
        await connection.execute("BEGIN; SET LOCAL jit = off")
        mode = "force_generic_plan" if generic else "force_custom_plan"
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        if blind:
            tables = "('file'::regclass, 'version'::regclass, 'frame'::regclass)"
            await connection.execute(f"DELETE FROM pg_statistic WHERE starelid IN {tables}")
        yield connection
        await connection.execute("ROLLBACK")
    finally:
        await connection.close()


async def plan_of(connection: asyncpg.Connection, statement: Statement) -> Plan:
    """Prepare a statement, carry it out, and return how that went."""
    await connection.execute(f"PREPARE probe AS {statement.text}")
    explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "
    told = json.loads(await connection.fetchval(explain + statement.execution("probe")))[0]
    await connection.execute("DEALLOCATE probe")
    return Plan(told["Plan"], told["Execution Time"])
