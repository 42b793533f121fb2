"""A running Armillary: real processes on a free port, with a hand in their database and their files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from armillary.access.models import Scope
from armillary.access.service import GrantKind, create_token
from armillary.archive.changes import service as changes
from armillary.archive.intake import bulk
from armillary.base.certificates import certificates_for
from armillary.base.database import Role
from armillary.base.work import outcomes
from armillary.context import Context, open_context
from armillary.settings import Settings
from tests.support.conformity import check
from tests.support.grants import grant_all
from tests.support.patience import NotStarted, OutOfTime, in_time
from tests.support.postgres import server_account
from tests.support.premade import prepare

T = TypeVar("T")
START_S = STOP_S = PATIENCE_S = 300.0
"""Longer than anything takes that ends at all, on a slow and busy machine too."""
WAIT_S = 60.0
"""For how long servers can be asked to wait."""
ANSWER_S = WAIT_S + 30.0
"""Silence that a client bears: longer than a server waits that is asked to wait."""
UNLIMITED = {"ARMILLARY_LIMITS__ANONYMOUS_PER_S": "0", "ARMILLARY_LIMITS__TOKEN_PER_S": "0"}
"""Tests hammer as no client may."""
COOKIE = "gemini_api_authorization"


@dataclass
class Running:
    """A server and what tests do with it."""

    url: str
    settings: Settings
    tokens: dict[str, str] = field(default_factory=dict)

    def act(self, action: Callable[[Context], Awaitable[T]]) -> T:
        """Run something with the context of a worker beside the running processes."""

        async def body() -> T:
            async with open_context(self.settings, Role.WORKER, application="armillary test") as context:
                return await action(context)

        # In a thread of its own: tests of pages run inside the event loop of the browser.
        with ThreadPoolExecutor(1) as alone:
            return alone.submit(asyncio.run, body()).result()

    def token(
        self,
        name: str,
        *scopes: Scope,
        lifetime: timedelta | None = None,
        grants: Mapping[GrantKind, str] = {},
    ) -> str:
        """Create a token with grants and return its secret."""

        async def action(context: Context) -> str:
            async with context.database.begin() as connection:
                now = context.clock.now()
                await grant_all(connection, name, grants, now=now)
                return await create_token(connection, name, scopes, now=now, lifetime=lifetime)

        return self.act(action)

    def secret(self, scope: Scope) -> str:
        """Return the secret of a token for one scope, made once."""
        if scope not in self.tokens:
            self.tokens[scope] = self.token(f"the {scope} token", scope)
        return self.tokens[scope]

    @contextlib.contextmanager
    def client(self, *, scope: Scope | None = None, **options: Any) -> Iterator[httpx.Client]:
        """Open a client; with a scope, it shows a token for that. Its answers have to be as OpenAPI says."""
        headers = options.pop("headers", {}) | ({"X-Api-Key": self.secret(scope)} if scope else {})
        with httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=ANSWER_S,
            trust_env=False,
            verify=certificates_for(self.url),
            event_hooks={"response": [check]},
            **options,
        ) as one:
            yield one

    def ingest(self, *paths: Path, copy: bool = False) -> None:
        """Take files in and wait until they are in the catalog with all their products."""

        async def action(context: Context) -> None:
            started = await bulk.submit_paths(context, list(paths), copy=copy, force=False, in_place=False)
            end = time.monotonic() + PATIENCE_S
            while time.monotonic() < end:
                async with context.database.begin() as connection:
                    ended = await outcomes(connection, list(started.orders))
                if len(ended) == len(started.orders):
                    break
                await asyncio.sleep(0.02)
            report = bulk.collect(started, ended)
            assert not report.failed, report.failed
            assert started.orders
            await _settled(context)

        self.act(action)

    def settle(self) -> None:
        """Wait until no work order is left, and the feed of changes tells all that they did."""
        self.act(_settled)

    def await_health(self) -> dict[str, Any]:
        """Wait until the server says that it works, and return what it says.

        It is ready before its workers are, and says 503 when the database keeps it waiting.
        """
        end = time.monotonic() + PATIENCE_S
        with self.client() as client:
            while (reply := client.get("/v1/health")).status_code != 200 or reply.json()["status"] != "ok":
                in_time(end, reply.text)
                time.sleep(0.02)
        found: dict[str, Any] = reply.json()
        return found

    def sql(self, query: str, *values: object) -> list[Any]:
        """Return the rows of a query, as the owner of the database sees them."""

        async def action(context: Context) -> list[Any]:
            async with context.database.raw() as connection:
                return [tuple(row) for row in await connection.fetch(query, *values)]

        return self.act(action)

    @contextlib.contextmanager
    def held(self, filename: str) -> Iterator[None]:
        """Let accepted orders of a file wait until the end of the block, behind one that is not due."""
        place = "version.root_id || ':' || CASE path WHEN '' THEN '' ELSE path || '/' END || filename"
        ((order,),) = self.sql(
            "INSERT INTO work_order (kind, key, args, not_before)"
            f" SELECT 'echo', {place}, '{{}}', now() + interval '1 hour'"
            " FROM version JOIN file ON file.id = file_id WHERE present AND name = $1 RETURNING id",
            filename,
        )
        try:
            yield
        finally:
            self.sql("DELETE FROM work_order WHERE id = $1", order)
            self.sql("SELECT pg_notify('work_queued', '')")

    def post(self, request: Any, **headers: str) -> httpx.Response:
        """Post a header update with the cookie of the old clients."""
        content = request if isinstance(request, bytes) else json.dumps(request).encode()
        with self.client() as client:
            cookie = {"Cookie": f"{COOKIE}={self.secret(Scope.EDIT)}"}
            return client.post("/update_headers", content=content, headers=cookie | headers)

    def status(self, reply: httpx.Response, *, wait: float = WAIT_S) -> dict[str, Any]:
        """Return the status document of a request, at its end unless told otherwise."""
        end = time.monotonic() + PATIENCE_S
        with self.client(scope=Scope.EDIT) as client:
            while True:
                answer = client.get(reply.headers["Location"], params={"wait": wait})
                assert answer.status_code == 200, answer.text
                document: dict[str, Any] = answer.json()
                if document["done"] or not wait:
                    return document
                in_time(end, document)

    def edit(self, filename: str, values: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Edit a file, wait for the end, and return what the status says of the one item."""
        reply = self.post([{"filename": filename, "values": values, **options}])
        assert reply.json()[0]["result"] is True, reply.text
        item: dict[str, Any] = self.status(reply)["items"][0]
        return item


async def _settled(context: Context) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        query = "SELECT count(*) FROM work_order WHERE state IN ('Queued', 'Started')"
        async with context.database.begin() as connection:
            left = (await connection.exec_driver_sql(query)).scalar()
            start = await changes.beginning(connection)
            feed = await changes.changes_after(connection, start, 1)
            if not left and not feed.unsettled:
                return
        await asyncio.sleep(0.02)
    raise OutOfTime(f"{left} work orders are left")


@contextlib.contextmanager
def running(data: Path, **environment: str) -> Iterator[Running]:
    """Run `armillary up` on a directory and a free port until the end of the block."""
    environment = {
        "ARMILLARY_DATABASE__ACCOUNT": server_account(),
        "ARMILLARY_WORK__WORKERS": "1",
        **UNLIMITED,
    } | environment
    if "ARMILLARY_DATABASE__URL" not in environment:
        prepare(data)
    command = [sys.executable, "-m", "armillary", "up", "--data", str(data), "--port", "0"]
    with started(command, environment) as process:
        address = ready_line(process)
        saved = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            settings = Settings(data=data)
        finally:
            for name, value in saved.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        yield Running(address, settings)


@contextlib.contextmanager
def started(
    command: list[str], environment: Mapping[str, str], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process; end it by SIGTERM and expect that it ends well."""
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, cwd="/", **options
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) in (0, -signal.SIGTERM)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout
        process.stdout.close()


def ready_line(process: subprocess.Popen[bytes]) -> str:
    """Return the address in the line that `up` prints when it serves."""
    assert process.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(START_S):
            raise NotStarted("no line came")
    word, _, address = process.stdout.readline().decode().strip().partition(" ")
    if word != "ready":
        raise NotStarted(f"exit {process.poll()}")
    return address
