"""The parent of the process tree says `ready` only of a program that serves."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from armillary.commands import supervision
from armillary.errors import Unavailable
from armillary.settings import DatabaseSettings, Settings
from tests.support.postgres import server_account


@pytest.fixture
def address() -> Iterator[str]:
    """Serve something that always answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def test_a_proxy_of_the_environment_is_not_asked_about_ourselves(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    # A busy machine may take longer for an answer than one question waits.
    assert any(supervision.answers(f"{address}/v1/health") for _ in range(30))
    assert not supervision.answers("http://127.0.0.1:9/v1/health")


async def test_processes_that_ended_are_not_ready_though_something_answers(address: str) -> None:
    ended = asyncio.create_task(asyncio.sleep(0))
    await ended
    assert not await supervision.until_ready(address, asyncio.Event(), ended)
    lasting = asyncio.create_task(asyncio.sleep(60))
    assert await supervision.until_ready(address, asyncio.Event(), lasting)
    lasting.cancel()


async def test_what_cannot_be_started_stops_the_rest_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = []

    async def no_web(command: Sequence[str], fds: Sequence[int]) -> asyncio.subprocess.Process:
        if command[0] == "serve":
            raise OSError("no more processes")
        started.append(await supervision.spawn(command, fds))
        return started[-1]

    settings = Settings(data=tmp_path / "data", database=DatabaseSettings(account=server_account()))
    with pytest.raises(Unavailable, match="cannot be kept running: no more processes"):
        await supervision.run_all(settings, "127.0.0.1", 0, demo=False, start=no_web)
    assert started
    assert all(child.returncode is not None for child in started)
    assert "ready" not in capsys.readouterr().out
