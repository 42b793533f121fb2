"""Letting headers be made anew."""

from __future__ import annotations

from msgspec import structs

from armillary.headers.exposures import store
from armillary.headers.exposures.models import Because
from armillary.headers.services.instance import Instance


async def rebuild(instance: Instance, named: str, number: int) -> None:
    """Let the headers of an exposure be made anew, now or when the service is enabled."""
    known = instance.known
    async with known.alone([named]), instance.context.database.raw() as connection:
        await known.read(connection, [named])
        if (one := known.get(number)) is None:
            return
        due = structs.replace(one, due=instance.context.bus.now(), because=Because.REBUILD)
        await store.update(connection, due)
        known.put(due)
    instance.wake()
