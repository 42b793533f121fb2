"""The files of a parcel as one zip: its length is known before its first byte, checksums after its last."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from zlib import crc32

from armillary.access.models import Principal
from armillary.archive.download.bundle import README, Account, open_member, readme
from armillary.archive.download.file import stream
from armillary.archive.download.granted import note_if_granted
from armillary.archive.download.parcel import Parcel, Parcelled
from armillary.archive.download.zips import Member, ZipLayout, made_member
from armillary.archive.errors import BundleBroken
from armillary.base.log import get_record
from armillary.context import Context

record = get_record(__name__)


@dataclass(frozen=True, slots=True)
class Zip:
    """A parcel as a zip that is still to be sent."""

    parcel: Parcel
    layout: ZipLayout

    @classmethod
    def of(cls, parcel: Parcel, *, asked: str, now: datetime) -> Zip:
        """Return the zip of a parcel, with a text that says what is withheld."""
        members = [Member(one.member.key, one.size, 0, one.modified, deferred=True) for one in parcel.files]
        account = Account(
            sums=[one.member.key for one in parcel.files], withheld=[one.key for one in parcel.withheld]
        )
        text = readme(account, asked, now, sums=None).encode("utf-8", "replace")
        return cls(parcel, ZipLayout([*members, made_member(README, text, now)]))

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return self.layout.size

    async def chunks(self, context: Context, viewer: Principal) -> AsyncGenerator[bytes, None]:
        """Yield the bytes; whether the viewer may have a file is judged again when its turn comes.

        Raises
        ------
        BundleBroken
            If a file is gone, or has another size by now: the length of the whole was promised.
        """
        sent: list[Member] = []
        heads = self.layout.heads
        for one, member, head in zip(self.parcel.files, self.layout.members, heads, strict=False):
            yield head
            checksum = 0
            async with aclosing(_bytes_of(context, one, viewer)) as chunks:
                async for chunk in chunks:
                    checksum = crc32(chunk, checksum)
                    yield chunk
            sent.append(replace(member, crc32=checksum))
            yield sent[-1].descriptor
        text = self.layout.members[-1]
        yield heads[-1] + (text.content or b"")
        yield ZipLayout([*sent, text]).directory


async def _bytes_of(context: Context, one: Parcelled, viewer: Principal) -> AsyncGenerator[bytes, None]:
    found = await open_member(context, one.member, viewer, Account())
    if found is None:
        raise BundleBroken(f"'{one.member.key}' is gone; fetch the zip again.")
    download, served = found
    with download.snapshot:
        if download.size != one.size:
            raise BundleBroken(f"'{one.member.key}' has changed meanwhile; fetch the zip again.")
        await note_if_granted(context, served, viewer, stop=one.size)
        sent = 0
        async with aclosing(stream(download)) as chunks:
            async for chunk in chunks:
                sent += len(chunk)
                yield chunk
    if sent != one.size:
        raise BundleBroken(f"'{one.member.key}' ended after {sent} of {one.size} bytes; fetch the zip again.")
    record.info("file handed out", file=one.member.key, reason=str(served.reason), version=served.version.id)
