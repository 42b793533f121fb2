"""What clients of an installed archive do: upload, edit, download; prints what they saw as JSON.

``client.py TOKEN NAME...`` reads a file in Base64 from its standard input and sends it under
each name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time

import httpx

PATIENCE_S = 300.0
URL = "http://127.0.0.1:8000"


def await_health(client: httpx.Client) -> dict[str, object]:
    """Wait until the archive works, and return what it says of itself."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            reply = client.get("/v1/health")
            if reply.status_code == 200 and reply.json()["status"] == "ok":
                found: dict[str, object] = reply.json()
                return found
        except httpx.TransportError:
            reply = None
        assert time.monotonic() < end, reply and reply.text
        time.sleep(0.1)


def download(client: httpx.Client, path: str, token: str) -> bytes:
    """Return the bytes at a path as soon as they are there."""
    end = time.monotonic() + PATIENCE_S
    while (reply := client.get(path, headers={"X-Api-Key": token})).status_code != 200:
        assert reply.status_code in (404, 503), reply.text
        assert time.monotonic() < end, reply.text
        time.sleep(0.1)
    return reply.content


def main(token: str, names: list[str]) -> None:
    """Do all of it."""
    content = base64.b64decode(sys.stdin.read())
    with httpx.Client(base_url=URL, timeout=90, trust_env=False) as client:
        seen = {"health": await_health(client), "files": {}}
        for name in names:
            cookie = {"Cookie": f"gemini_fits_upload_auth={token}"}
            sent = client.post(f"/upload_file/{name}", content=content, headers=cookie)
            assert sent.status_code == 200, sent.text
            same = download(client, f"/file/{name}", token) == content
            cookie = {"Cookie": f"gemini_api_authorization={token}"}
            asked = [{"filename": name, "values": {"generic": [["OBJECT", "M 31"]]}}]
            reply = client.post("/update_headers", json=asked, headers=cookie)
            status = client.get(reply.headers["Location"], params={"wait": 60}, headers=cookie).json()
            after = download(client, f"/file/{name}", token)
            seen["files"][name] = {
                "sent": sent.json(),
                "same": same,
                "accepted": reply.json(),
                "changed": [item.get("changed") for item in status["items"]],
                "object": after.partition(b"OBJECT  = ")[2][:12].decode(),
                "picture": download(client, f"/v1/files/{name}/thumbnail", token)[:3].hex(),
                "sha256": hashlib.sha256(after).hexdigest(),
            }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
