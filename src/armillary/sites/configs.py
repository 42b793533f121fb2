"""Configurations of sites: what is stored, every version of it, and the way back.

A change locks the site, so those who write at once come one after another, and each sees what the one before has
written. Nothing that is refused leaves a trace.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.context import Context
from armillary.sites import store
from armillary.sites.contents import content_of, read_object
from armillary.sites.differences import differences
from armillary.sites.documents import ConfigDifference, ConfigVersion, EffectiveConfig, WholeConfig
from armillary.sites.errors import (
    ConfigChanged,
    ConfigRefused,
    ConfigTooLarge,
    DeletedVersion,
    EmptyConfig,
    UnknownConfigVersion,
    UnknownSite,
)
from armillary.sites.models import Content, PutOutcome, StoredConfig, check_free, check_site, is_site
from armillary.sites.validation import warnings_of

_OWN = frozenset({"instance_type", "wema_name", "obs_id", "obsp_ids"})
"""Keys that say who a site is: what its WEMA says there is not meant for it."""
_INTEGER = 1 << 31


async def put_config(
    context: Context,
    site: str,
    body: bytes,
    *,
    actor: str,
    allow_empty: bool = False,
    if_match: str | None = None,
) -> PutOutcome:
    """Store the configuration of a site; one that is equal to the stored one adds no version.

    Raises
    ------
    BadSiteName, ReservedName, ConfigTooLarge, BadConfig, EmptyConfig, ConfigRefused, ConfigChanged
        Nothing was changed then.
    """
    limits = context.settings.photon_ranch
    check_free(site, context.settings.photon_ranch.prefixes)
    if len(body) > limits.max_config:
        raise ConfigTooLarge(
            f"The configuration of {len(body)} bytes is over the limit of {limits.max_config}"
            " (`photon_ranch.max_config`). Nothing was changed."
        )
    value = read_object(body)
    if not value and not allow_empty:
        raise EmptyConfig
    content = content_of(value)
    async with context.database.begin() as connection:
        return await _store(connection, context, site, content, actor=actor, if_match=if_match)


async def rollback(
    context: Context, site: str, number: int, *, actor: str, if_match: str | None = None
) -> PutOutcome:
    """Store an earlier version of a configuration again, as a new version unless it is equal to the stored one.

    Raises
    ------
    BadSiteName, UnknownSite, UnknownConfigVersion, DeletedVersion, ConfigRefused, ConfigChanged
        Nothing was changed then.
    """
    async with context.database.begin() as connection:
        wanted = (await version(connection, site, number)).configuration
        if wanted is None:
            raise DeletedVersion
        return await _store(connection, context, site, content_of(wanted), actor=actor, if_match=if_match)


async def delete_config(context: Context, site: str, *, actor: str, if_match: str | None = None) -> bool:
    """Delete the configuration of a site, and keep its history; return whether there was one.

    Raises
    ------
    BadSiteName, ReservedName, ConfigChanged
        Nothing was changed then.
    """
    check_free(site, context.settings.photon_ranch.prefixes)
    async with context.database.begin() as connection:
        stored = await store.find(connection, site)
        if stored is None:
            _check_match(if_match, None)
            return False
        last = await store.lock(connection, site)
        stored = await store.find(connection, site)
        _check_match(if_match, stored)
        if stored is None:
            return False
        now = context.clock.now()
        await store.add(connection, site, last + 1, None, actor=actor, warnings=(), now=now)
        return True


async def _store(
    connection: AsyncConnection,
    context: Context,
    site: str,
    content: Content,
    *,
    actor: str,
    if_match: str | None,
) -> PutOutcome:
    last = await store.lock(connection, site)
    stored = await store.find(connection, site)
    _check_match(if_match, stored)
    others = await store.sites(connection)
    warnings = warnings_of(site, content.value, {*others, site})
    strict = context.settings.photon_ranch.strict_sites
    if warnings and (site in strict or "*" in strict):
        raise ConfigRefused(f"Nothing was changed, since the site is strict: {'; '.join(warnings)}")
    if stored is not None and stored.sha256 == content.sha256:
        return PutOutcome(stored, False, warnings)
    now = context.clock.now()
    await store.add(connection, site, last + 1, content, actor=actor, warnings=warnings, now=now)
    return PutOutcome(StoredConfig(site, last + 1, content.sha256, content.text), True, warnings)


def _check_match(if_match: str | None, stored: StoredConfig | None) -> None:
    """Compare the stored configuration with what the client thinks it is (RFC 9110, section 13.1.1)."""
    if if_match is None:
        return
    tags = {tag.strip() for tag in if_match.split(",")}
    if stored is None or not tags & {"*", stored.etag}:
        raise ConfigChanged


async def config_of(connection: AsyncConnection, site: str) -> StoredConfig:
    """Return the configuration of a site as it is stored.

    Raises
    ------
    BadSiteName, UnknownSite
        If there is none.
    """
    found = await store.find(connection, check_site(site))
    if found is None:
        raise UnknownSite(f"There is no configuration of the site '{site}'.")
    return found


async def all_configs(connection: AsyncConnection) -> list[StoredConfig]:
    """Return the configurations of all sites, by name."""
    return await store.every(connection)


async def find_config(connection: AsyncConnection, site: str) -> dict[str, Any] | None:
    """Return the configuration of a site as a value; None if there is none, whatever the name."""
    found = await store.find(connection, site) if is_site(site) else None
    return json.loads(found.text) if found else None


async def effective(connection: AsyncConnection, site: str) -> EffectiveConfig:
    """Return the configuration of a site, with what it lacks or has as null taken from that of its WEMA.

    Keys are taken whole. What says who a site is (``instance_type``, ``obs_id``, ...) is its own matter.

    Raises
    ------
    BadSiteName, UnknownSite
        If the site has no configuration.
    """
    own: dict[str, Any] = json.loads((await config_of(connection, site)).text)
    name = own.get("wema_name")
    above = await find_config(connection, name) if isinstance(name, str) and name != site else None
    if above is None:
        return EffectiveConfig(site, None, [], own)
    inherited = [key for key in above if own.get(key) is None and key not in _OWN]
    return EffectiveConfig(site, name, inherited, own | {key: above[key] for key in inherited})


async def versions(connection: AsyncConnection, site: str) -> list[ConfigVersion]:
    """Return all versions of the configuration of a site, oldest first, also if it is deleted.

    Raises
    ------
    BadSiteName, UnknownSite
        If it never had one.
    """
    found = await store.versions(connection, check_site(site))
    if not found:
        raise UnknownSite(f"The site '{site}' never had a configuration.")
    return found


async def version(connection: AsyncConnection, site: str, number: int) -> WholeConfig:
    """Return one version with its content.

    Raises
    ------
    BadSiteName, UnknownConfigVersion
        If there is none of that number.
    """
    row = await store.version(connection, check_site(site), number) if 0 < number < _INTEGER else None
    if row is None:
        raise UnknownConfigVersion(f"The configuration of '{site}' has no version {number}.")
    values = dict(row._mapping)
    text = values.pop("content")
    return WholeConfig(**values, configuration=json.loads(text) if text is not None else None)


async def diff(connection: AsyncConnection, site: str, old: int, new: int) -> list[ConfigDifference]:
    """Return what differs between two versions; one that records a deletion counts as an empty object.

    Raises
    ------
    BadSiteName, UnknownConfigVersion
        If one of them does not exist.
    """
    first, second = await version(connection, site, old), await version(connection, site, new)
    return differences(first.configuration or {}, second.configuration or {})
