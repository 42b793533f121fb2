"""No line of a log has the secret that a client showed, wherever the client put it."""

from __future__ import annotations

import logging

import pytest
from uvicorn.logging import AccessFormatter

from armillary.base.log import hide_secrets_of_server, without_secrets

KEY = "arm_kZr5-T0pSecret_Zm9vYmFyMTIzNDU2Nzg5MDEyMzQ1Njc4"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln_bmF0-dXJl"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"GET /k/{KEY}/api/upload", "GET /k/.../api/upload"),
        ("GET /k/whatever/api/upload", "GET /k/.../api/upload"),
        ("//k//whatever//api", "//k//...//api"),
        ('{"path": "/k/whatever/api"}', '{"path": "/k/.../api"}'),
        ('{"path": "\\\\n/k/whatever/api"}', '{"path": "\\\\n/k/.../api"}'),
        ("https://archive.example:8000/k/whatever?x=1", "https://archive.example:8000/k/...?x=1"),
        (f"key={KEY}&x=1", "key=...&x=1"),
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer ..."),
        (f"b'{JWT}'", "b'...'"),
        ("/data/k/night/x.fits is gone", "/data/k/night/x.fits is gone"),
        ("arm_1 and eyJ are no secrets", "arm_1 and eyJ are no secrets"),
        ("nothing here", "nothing here"),
    ],
)
def test_secrets_are_taken_out_of_a_text(text: str, expected: str) -> None:
    assert without_secrets(text) == expected


def test_the_server_writes_no_secrets_whoever_configured_its_log(caplog: pytest.LogCaptureFixture) -> None:
    hide_secrets_of_server()
    logger = logging.getLogger("uvicorn.access")
    with caplog.at_level(logging.INFO, "uvicorn.access"):
        arguments = ("127.0.0.1:40000", "PUT", f"/k/{KEY}/api/saf/config?key={JWT}", "1.1", 200)
        logger.info('%s - "%s %s HTTP/%s" %d', *arguments)
    (record,) = caplog.records
    line = AccessFormatter("%(request_line)s %(status_code)s", use_colors=False).format(record)
    assert line == "PUT /k/.../api/saf/config?key=... HTTP/1.1 200 OK"
