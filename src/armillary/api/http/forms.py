"""Forms of several parts (RFC 7578) as they come in: fields first, then one file, never held in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from python_multipart.multipart import MultipartParser, parse_options_header

from armillary.errors import BadRequest

MAX_FIELD, MAX_FIELDS = 64 << 10, 50


class BadForm(BadRequest):
    """The body is no form of several parts, or ends too early; send it again."""

    code = "bad_form"


@dataclass(slots=True)
class Form:
    """The fields in front of the file, and the bytes of the file as they come."""

    fields: dict[str, str]
    file: AsyncIterator[bytes]


@dataclass(slots=True)
class _Parts:
    """What the parser has found and nobody has taken yet."""

    fields: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    name: str = ""
    in_file: bool = False
    ended: bool = False
    _disposition: bytes = b""
    _field: str = ""

    def callbacks(self) -> dict[str, object]:
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._on_end,
        }

    def _begin(self) -> None:
        if self.ended or len(self.fields) >= MAX_FIELDS:
            raise BadForm("A form has up to 50 fields and then one file, and nothing behind it.")
        self.header, self.value, self._disposition, self.name = bytearray(), bytearray(), b"", ""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end].decode("latin-1")

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self.header += data[start:end]

    def _on_header_end(self) -> None:
        if self._field.lower() == "content-disposition":
            self._disposition = bytes(self.header)
        self._field, self.header = "", bytearray()

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self.name = options.get(b"name", b"").decode("utf-8", "replace")
        self.in_file = self.name == "file"

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self.in_file:
            self.chunks.append(data[start:end])
            return
        self.value += data[start:end]
        if len(self.value) > MAX_FIELD:
            raise BadForm(f"The field '{self.name[:40]}' of the form is over the limit of {MAX_FIELD} bytes.")

    def _on_end(self) -> None:
        if self.in_file:
            self.in_file, self.ended = False, True
        else:
            self.fields[self.name] = self.value.decode("utf-8", "replace")


async def read_form(content_type: str, body: AsyncGenerator[bytes, None]) -> Form:
    """Read the fields of a form up to its file.

    Raises
    ------
    BadForm
        If it is none, has no file, or too many or too large fields. So does the file if the form ends too early.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise BadForm("Send the file as multipart/form-data.")
    parts = _Parts()
    parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]  # any mapping of functions
    async for chunk in body:
        _feed(parser, chunk)
        if parts.in_file or parts.ended:
            return Form(parts.fields, _file(parser, parts, body))
    raise BadForm("The form ends before its file.")


async def _file(
    parser: MultipartParser, parts: _Parts, body: AsyncGenerator[bytes, None]
) -> AsyncIterator[bytes]:
    while True:
        for chunk in parts.chunks:
            yield chunk
        parts.chunks.clear()
        if parts.ended:
            # What stands behind the file is read, and means nothing.
            async for _ in body:
                pass
            return
        try:
            chunk = await anext(body)
        except StopAsyncIteration:
            raise BadForm("The form ends in the middle of its file; send it again.") from None
        _feed(parser, chunk)


def _feed(parser: MultipartParser, chunk: bytes) -> None:
    try:
        parser.write(chunk)
    except BadForm:
        raise
    except ValueError as error:
        raise BadForm(f"The form cannot be read: {error}") from None
