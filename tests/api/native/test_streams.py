"""Event streams are what OpenAPI says of one event after the other."""

from __future__ import annotations

import json

import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.conformity import hold
from tests.support.running import Running

MEDIA = "text/event-stream; charset=utf-8"


def test_the_stream_of_an_order_is_as_documented(server: Running, a_file: Maker) -> None:
    values = {"values": {"generic": {"OBJECT": "x"}}}
    with server.client(scope=Scope.EDIT) as client:
        order = client.post(f"/v1/files/{a_file()}/edits", json=values).json()["order"]
        path = f"/v1/orders/{order}/events"
        stream = client.get(path)
    assert f'event: Completed\ndata: {{"id": {order}' in stream.text
    hold("GET", f"{server.url}{path}", 200, MEDIA, stream.content)
    for spoilt in (b'"attempts": 1', b'"state": "Completed"'):
        assert spoilt in stream.content
        with pytest.raises(BaseException, match=r"."):
            hold("GET", f"{server.url}{path}", 200, MEDIA, stream.content.replace(spoilt, b'"more": 1'))


def test_the_stream_of_changes_is_as_documented(server: Running, a_file: Maker) -> None:
    name = a_file()
    seen = ""
    with (
        server.client(headers={"Accept": "text/event-stream"}) as client,
        client.stream("GET", "/v1/changes") as stream,
    ):
        for text in stream.iter_text():
            seen += text
            if json.dumps(name) in seen:
                break
    whole = seen.rpartition("\n\n")[0] + "\n\n"
    hold("GET", f"{server.url}/v1/changes", 200, MEDIA, whole.encode())
    with pytest.raises(BaseException, match=r"."):
        hold("GET", f"{server.url}/v1/changes", 200, MEDIA, whole.replace('"path"', '"more"').encode())
