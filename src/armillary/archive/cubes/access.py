"""Who may read a cube before its release: the owners and groups that its orders name."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access import service as access
from armillary.archive.catalog import service as catalog
from armillary.archive.cubes.models import Options
from armillary.settings import SstSettings

NOBODY = "no owners were named"
NO_GROUP = "swedish_data names nobody: the setting sst.swedish_group is empty"


async def give_access(
    connection: AsyncConnection,
    file_id: int,
    options: Options,
    settings: SstSettings,
    *,
    former: Collection[int],
    actor: str,
    now: datetime,
    origin: str,
) -> str:
    """Let those read a file whom its order names, beside those who might read what it takes the place of.

    Returns
    -------
    str
        `NOBODY` if nothing was to be done, else what could not be done; empty if all was.

    Raises
    ------
    InvalidGrantee
        If one of the owners is no address, or a group has no name.
    """
    subjects = await catalog.file_subjects(connection, file_id)
    moved = [one for one in former if one != file_id]
    for one in moved:
        old = await catalog.file_subjects(connection, one)
        await access.move_file_grants(connection, old, subjects, actor=actor, now=now, origin=origin)
    emails, groups = options.owner_email_addresses, options.groups
    if emails is not None or groups is not None:
        await access.set_file_grants(
            connection, subjects, emails=emails, groups=groups, actor=actor, now=now, origin=origin
        )
    asked = options.swedish_data is not None
    if asked and settings.swedish_group:
        change = access.add_group if options.swedish_data else access.remove_group
        await change(connection, subjects, settings.swedish_group, actor=actor, now=now, origin=origin)
    if options.swedish_data and not settings.swedish_group:
        return NO_GROUP
    return "" if moved or asked or emails is not None or groups is not None else NOBODY
