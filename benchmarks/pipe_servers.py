"""What benchmark 5b measures beside ours: ``pool`` and ``constant``, each a process that listens on a port."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from armillary.api.photon_ranch import pipe
from armillary.commands import serving
from armillary.settings import Settings

CONSTANT = (
    b'{"id":"1769947200000_5f3a91c2","queue_name":"sq001","payload":{},"created_at":0,"sender":"sq001"}'
)


class NewItem(BaseModel):
    """An item that somebody sends."""

    queue_name: str
    payload: Any = {}
    sender: str = "unknown"


def pooled() -> FastAPI:
    """Return the routes as they are usually written: models, a pool, a statement for each request."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        where = {"host": os.environ["BENCH_HOST"], "user": os.environ["BENCH_USER"]}
        async with asyncpg.create_pool(**where, database="bench_pool", min_size=16, max_size=16) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/pipe/queues")
    async def queues() -> dict[str, int]:
        return {}

    @app.post("/pipe/enqueue")
    async def enqueue(item: NewItem) -> dict[str, Any]:
        now_ms = int(time.time() * 1000)
        row = await app.state.pool.fetchrow(
            "INSERT INTO item (id, queue, sender, payload, created_ms) VALUES ($1, $2, $3, $4, $5) RETURNING id",
            f"{now_ms}_{secrets.token_hex(4)}",
            item.queue_name,
            item.sender,
            json.dumps(item.payload),
            now_ms,
        )
        return {"id": row["id"], "created_at": now_ms, **item.model_dump()}

    @app.post("/pipe/queue/{queue}/dequeue")
    async def dequeue(queue: str) -> dict[str, Any]:
        row = await app.state.pool.fetchrow(
            "DELETE FROM item WHERE seq = (SELECT seq FROM item WHERE queue = $1 ORDER BY seq LIMIT 1"
            " FOR UPDATE SKIP LOCKED) RETURNING id, queue, sender, payload, created_ms",
            queue,
        )
        if row is None:
            raise HTTPException(404, f"Queue is empty: {queue}")
        return {
            "id": row["id"],
            "queue_name": row["queue"],
            "payload": json.loads(row["payload"]),
            "created_at": row["created_ms"],
            "sender": row["sender"],
        }

    return app


def constant() -> None:
    """Let our own server, with all its layers and the policy, return a constant to whoever enqueues."""

    async def answer(_exchange: object, _new: object) -> bytes:
        return CONSTANT

    pipe._enqueued = answer  # type: ignore[assignment]  # noqa: SLF001  # what it stands for has no other name


def main(kind: str, data: str, port: str) -> None:
    """Serve until told to stop."""
    if kind == "pool":
        uvicorn.run(pooled(), port=int(port), log_level="error", loop="uvloop", http="httptools")
        return
    constant()
    settings = Settings(data=Path(data))
    serving.run(settings, host="127.0.0.1", port=int(port), fd=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
