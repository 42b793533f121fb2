"""A worker of a queue that may be killed at any moment: it claims, acknowledges, and notes what was accepted.

Called as ``python -m tests.support.pipe_worker URL SECRET QUEUE FILE``; it ends when there is nothing to do.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx

LEASE_S, WAIT_S = 1.0, 5.0


def work(url: str, secret: str, queue: str, path: Path) -> None:
    """Work until the queue is empty."""
    with (
        httpx.Client(base_url=url, headers={"X-Api-Key": secret}, timeout=60, trust_env=False) as client,
        path.open("ab", buffering=0) as notes,
    ):
        while True:
            body = {"worker": str(os.getpid()), "max": 3, "lease_s": LEASE_S, "wait_s": WAIT_S}
            reply = client.post(f"/v1/pipe/queues/{queue}/claims", json=body)
            reply.raise_for_status()
            claims = reply.json()["claims"]
            if not claims:
                return
            for claim in claims:
                ended = client.post(f"/v1/pipe/claims/{claim['claim_id']}/ack")
                if ended.status_code == 200:
                    notes.write(f"{claim['item']['payload']}\n".encode())
                elif ended.status_code != 409:
                    ended.raise_for_status()


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
