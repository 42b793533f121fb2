"""A client that reads slowly, over a real socket, while the file on its way is edited."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile

import httpx
from astropy.io import fits

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.running import Running

KB = 12 * 1024


def test_a_slow_reader_gets_one_version_of_each_file(server: Running, a_file: Maker) -> None:
    """The files are larger than all buffers between them, so the server has to wait for the client.

    The system would let the client's own buffer grow with its speed, beyond both files.
    """
    names = [a_file(kb=KB, OBJECT="Before") for _ in range(2)]
    received = bytearray()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    narrow = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)])
    with (
        server.client(scope=Scope.READ, transport=narrow) as client,
        client.stream("POST", "/download", content=f"files={','.join(names)}", headers=headers) as reply,
    ):
        assert reply.status_code == 200
        chunks = reply.iter_bytes()
        while len(received) < 1 << 20:
            received += next(chunks)
        for name in names:
            outcome = server.edit(name, {"generic": [["OBJECT", "After"]]})
            assert outcome["state"] == "completed", outcome
        for chunk in chunks:
            received += chunk
    with tarfile.open(fileobj=io.BytesIO(received)) as tar:
        members = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}  # type: ignore[union-attr]
    sums = dict(line.split("  ")[::-1] for line in members["md5sums.txt"].decode().splitlines())
    files = {key: data for key, data in members.items() if key.endswith(".fits")}
    assert {key: hashlib.md5(data).hexdigest() for key, data in files.items()} == sums
    objects = []
    for data in files.values():
        with fits.open(io.BytesIO(data)) as hdus:
            objects.append(hdus[0].header["OBJECT"])
            assert hdus[1].data.shape == (KB, 512)
    assert objects == ["Before", "After"]
