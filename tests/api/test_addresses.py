"""What a client says of itself is no evidence, and names of pictures are those of files."""

from __future__ import annotations

from tests.api.conftest import Maker
from tests.support.running import Running


def test_the_address_in_the_record_is_not_the_clients_word(server: Running, a_file: Maker) -> None:
    name = a_file()
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.7"}
    reply = server.post([{"filename": name, "values": {"generic": {"A": 1}}}], **forged)
    server.status(reply)
    number = reply.headers["Armillary-Request"]
    assert server.sql("SELECT address FROM edit WHERE request_id::text = $1", number) == [("127.0.0.1",)]
    assert server.sql("SELECT address FROM update_request WHERE id::text = $1", number) == [("127.0.0.1",)]


def test_a_picture_is_found_by_every_name_of_its_file(server: Running, a_file: Maker) -> None:
    name = a_file(container=".bz2", RELEASE="2020-01-01")
    server.settle()
    with server.client() as client:
        plain = client.get(f"/v1/files/{name}/preview")
        packed = client.get(f"/v1/files/{name}.bz2/preview")
    assert (plain.status_code, packed.status_code) == (200, 200)
    assert packed.content == plain.content
