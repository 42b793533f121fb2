"""Configurations of sites: stored whole or not at all, with every version of before."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from armillary.base.feed.models import BEGINNING
from armillary.base.feed.reader import page_after
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.settings import PhotonRanchSettings
from armillary.sites import service
from armillary.sites.errors import (
    BadConfig,
    BadSiteName,
    ConfigChanged,
    ConfigRefused,
    ConfigTooLarge,
    DeletedVersion,
    EmptyConfig,
    ReservedName,
    UnknownConfigVersion,
    UnknownSite,
)
from armillary.sites.models import CONFIGURATIONS
from tests.service.sites.conftest import Killed
from tests.support.archive import Archive
from tests.support.sites import a_wema, an_observatory, sent, with_settings


async def put(web: Context, site: str, config: Any, **options: Any) -> Any:
    body = config if isinstance(config, bytes) else sent(config)
    return await service.put_config(web, site, body, actor="site", **options)


async def stored(web: Context, site: str) -> Any:
    async with web.database.begin() as connection:
        return await service.find_config(connection, site)


async def history(web: Context, site: str) -> list[tuple[int, str, str | None]]:
    async with web.database.begin() as connection:
        return [(one.version, one.actor, one.sha256) for one in await service.versions(connection, site)]


async def test_a_configuration_comes_back_as_it_was_sent(web: Context) -> None:
    config = a_wema(events={"Sun Set": 45000.12345678901, "day_directory": "20260101"}, z=1, a=[1.0, 2, None])
    outcome = await put(web, "mrc", config)
    assert (outcome.added, outcome.warnings) == (True, [])
    async with web.database.begin() as connection:
        found = await service.config_of(connection, "mrc")
    # With the order of its keys and the form of its numbers.
    assert found.text == json.dumps(config, separators=(",", ":"))
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    assert await history(web, "mrc") == [(1, "site", hashlib.sha256(canonical).hexdigest())]


async def test_an_equal_configuration_adds_no_version(web: Context) -> None:
    first = await put(web, "mrc", a_wema())
    again = await put(web, "mrc", dict(reversed(a_wema().items())))
    assert (again.added, again.config.version, again.config.etag) == (False, 1, first.config.etag)
    await put(web, "mrc", a_wema(latitude=35))
    await put(web, "mrc", a_wema(latitude=35.0))
    assert len(await history(web, "mrc")) == 3


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadConfig),
        (b"  \n", BadConfig),
        (b"{", BadConfig),
        (b'{"a": 1} {"b": 2}', BadConfig),
        (b"[1]", BadConfig),
        (b'"text"', BadConfig),
        (b"null", BadConfig),
        (b'{"a": NaN}', BadConfig),
        (b'{"a": -Infinity}', BadConfig),
        (b'{"a": 1e999}', BadConfig),
        (b'{"a": ' + b"9" * 5000 + b"}", BadConfig),
        (b'{"a": "\xff"}', BadConfig),
        (b'{"a": "\\ud800"}', BadConfig),
        (b'{"a":' + b"[" * 150 + b"]" * 150 + b"}", BadConfig),
        (b'{"a":' + b"[" * 200_000, BadConfig),
        (b"{}", EmptyConfig),
        (b'{"a": "' + b"x" * 5_000_000 + b'"}', ConfigTooLarge),
    ],
)
async def test_a_bad_body_changes_nothing(web: Context, body: bytes, error: type[ArmillaryError]) -> None:
    await put(web, "mrc", a_wema())
    with pytest.raises(error, match="othing was changed"):
        await put(web, "mrc", body)
    assert await stored(web, "mrc") == a_wema()
    with pytest.raises(error):
        await put(web, "new", body)
    assert await stored(web, "new") is None
    assert len(await history(web, "mrc")) == 1


async def test_an_empty_configuration_is_stored_if_it_is_meant(web: Context) -> None:
    await put(web, "mrc", b"{}", allow_empty=True)
    assert await stored(web, "mrc") == {}


@pytest.mark.parametrize("site", ["", "a" * 33, "a b", "é", "..", ".", "a/b", "a\x00", "a\n"])
async def test_names_that_no_site_has_are_refused(web: Context, site: str) -> None:
    with pytest.raises(BadSiteName):
        await put(web, site, a_wema())
    with pytest.raises(BadSiteName):
        await service.delete_config(web, site, actor="site")
    async with web.database.begin() as connection:
        assert await service.find_config(connection, site) is None
        with pytest.raises(BadSiteName):
            await service.config_of(connection, site)


@pytest.mark.parametrize("site", ["all", "events", "image", "pipe", "v1", "api", "dev", "test", "k"])
async def test_first_words_of_other_paths_are_no_sites(web: Context, site: str) -> None:
    with pytest.raises(ReservedName, match=site):
        await put(web, site, a_wema())
    assert await stored(web, site) is None


async def test_history_outlives_the_configuration(web: Context) -> None:
    await put(web, "mrc", a_wema())
    assert await service.delete_config(web, "mrc", actor="keeper")
    assert not await service.delete_config(web, "mrc", actor="keeper")
    assert not await service.delete_config(web, "never", actor="keeper")
    assert await stored(web, "mrc") is None
    first = (await history(web, "mrc"))[0]
    assert await history(web, "mrc") == [first, (2, "keeper", None)]
    async with web.database.begin() as connection:
        assert await service.all_configs(connection) == []
        with pytest.raises(UnknownSite):
            await service.config_of(connection, "mrc")
        assert (await service.version(connection, "mrc", 1)).configuration == a_wema()
        assert (await service.version(connection, "mrc", 2)).configuration is None
        with pytest.raises(UnknownSite):
            await service.versions(connection, "never")
    with pytest.raises(DeletedVersion):
        await service.rollback(web, "mrc", 2, actor="keeper")
    outcome = await service.rollback(web, "mrc", 1, actor="keeper")
    assert (outcome.added, outcome.config.version) == (True, 3)
    assert await stored(web, "mrc") == a_wema()


async def test_a_rollback_is_a_version_of_its_own_unless_nothing_changes(web: Context) -> None:
    await put(web, "mrc", a_wema())
    await put(web, "mrc", a_wema(latitude=10))
    assert (await service.rollback(web, "mrc", 1, actor="keeper")).config.version == 3
    assert not (await service.rollback(web, "mrc", 1, actor="keeper")).added
    assert [one[:2] for one in await history(web, "mrc")] == [(1, "site"), (2, "site"), (3, "keeper")]
    for number in (0, -1, 4, 1 << 40):
        with pytest.raises(UnknownConfigVersion):
            await service.rollback(web, "mrc", number, actor="keeper")


async def test_a_difference_names_paths_and_values(web: Context) -> None:
    await put(web, "mrc", a_wema(a={"b/c": 1, "~": True}, same=[1], list=[1, {"x": 1}]))
    await put(web, "mrc", a_wema(a={"b/c": 2, "~": 1}, same=[1], list=[1, {"x": 2}], more=None, longer=[1]))
    async with web.database.begin() as connection:
        found = await service.diff(connection, "mrc", 1, 2)
        assert [(one.path, one.old, one.new) for one in found] == [
            ("/a/b~1c", 1, 2),
            ("/a/~0", True, 1),
            ("/list/1/x", 1, 2),
            ("/longer", None, [1]),
            ("/more", None, None),
        ]
        assert await service.diff(connection, "mrc", 2, 2) == []
        with pytest.raises(UnknownConfigVersion):
            await service.diff(connection, "mrc", 1, 3)


async def test_only_the_version_that_the_client_knows_is_replaced(web: Context) -> None:
    with pytest.raises(ConfigChanged):
        await put(web, "mrc", a_wema(), if_match="*")
    first = await put(web, "mrc", a_wema())
    second = await put(web, "mrc", a_wema(latitude=1), if_match=f'"other", {first.config.etag}')
    for tag in (first.config.etag, f"W/{second.config.etag}", '"1"'):
        with pytest.raises(ConfigChanged):
            await put(web, "mrc", a_wema(latitude=2), if_match=tag)
    with pytest.raises(ConfigChanged):
        await service.delete_config(web, "mrc", actor="site", if_match=first.config.etag)
    with pytest.raises(ConfigChanged):
        await service.rollback(web, "mrc", 1, actor="site", if_match=first.config.etag)
    assert await stored(web, "mrc") == a_wema(latitude=1)
    await put(web, "mrc", a_wema(latitude=3), if_match="*")


async def test_of_those_who_replace_the_same_version_one_succeeds(web: Context) -> None:
    etag = (await put(web, "mrc", a_wema())).config.etag
    tries = [put(web, "mrc", a_wema(latitude=number), if_match=etag) for number in range(32)]
    ended = await asyncio.gather(*tries, return_exceptions=True)
    good = [one for one in ended if not isinstance(one, BaseException)]
    assert len(good) == 1
    assert all(isinstance(one, ConfigChanged) for one in ended if one not in good)
    assert json.loads(good[0].config.text) == await stored(web, "mrc")


async def test_simultaneous_writers_do_not_interleave(web: Context) -> None:
    configs = [a_wema(writer=number, parts=[number] * 1000) for number in range(32)]
    outcomes = await asyncio.gather(*(put(web, "mrc", one) for one in configs))
    assert sorted(one.config.version for one in outcomes) == list(range(1, 33))
    last = max(outcomes, key=lambda one: one.config.version)
    assert await stored(web, "mrc") == json.loads(last.config.text)
    async with web.database.begin() as connection:
        for outcome in outcomes:
            whole = await service.version(connection, "mrc", outcome.config.version)
            assert whole.configuration == json.loads(outcome.config.text)
            assert whole.configuration["parts"] == [whole.configuration["writer"]] * 1000


async def test_simultaneous_equal_writers_add_one_version(web: Context) -> None:
    outcomes = await asyncio.gather(*(put(web, "mrc", a_wema()) for _ in range(32)))
    assert [one.added for one in outcomes].count(True) == 1
    assert len(await history(web, "mrc")) == 1


async def test_a_database_that_dies_while_it_writes_leaves_all_or_nothing(
    web: Context, killed: Killed
) -> None:
    await killed("site_config_version", lambda: put(web, "new", a_wema()))
    assert await stored(web, "new") is None
    with pytest.raises(UnknownSite):
        await history(web, "new")
    assert (await put(web, "new", a_wema())).config.version == 1
    await killed("site_config_version", lambda: put(web, "new", a_wema(latitude=1)))
    assert await stored(web, "new") == a_wema()
    assert (await put(web, "new", a_wema(latitude=1))).config.version == 2


async def test_nobody_may_change_a_version(web: Context, archive: Archive) -> None:
    await put(web, "mrc", a_wema())
    for context in (web, archive.context):
        for statement in (
            "UPDATE site_config_version SET content = '{}'",
            "DELETE FROM site_config_version",
            "DELETE FROM site_config",
        ):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with context.database.begin() as connection:
                    await connection.exec_driver_sql(statement)


async def test_faults_are_warnings_and_kept_with_the_version(web: Context) -> None:
    outcome = await put(web, "mrc1", an_observatory())
    assert outcome.added
    assert outcome.warnings == ["wema_name: 'mrc' has no configuration"]
    async with web.database.begin() as connection:
        assert (await service.versions(connection, "mrc1"))[0].warnings == outcome.warnings
    await put(web, "mrc", a_wema(obsp_ids=["mrc1"]))
    assert (await put(web, "mrc1", an_observatory())).warnings == []


async def test_a_strict_site_refuses_faults(web: Context) -> None:
    strict = with_settings(web, photon_ranch=PhotonRanchSettings(strict_sites=("mrc",)))
    await put(strict, "mrc", a_wema())
    with pytest.raises(ConfigRefused, match="latitude: 95 is not from -90 to 90"):
        await put(strict, "mrc", a_wema(latitude=95))
    assert await stored(web, "mrc") == a_wema()
    assert (await put(strict, "other", a_wema(latitude=95))).added
    everywhere = with_settings(web, photon_ranch=PhotonRanchSettings(strict_sites=("*",)))
    with pytest.raises(ConfigRefused):
        await put(everywhere, "other", a_wema(latitude=96))


async def test_an_observatory_takes_what_it_lacks_from_its_wema(web: Context) -> None:
    await put(web, "mrc", a_wema(obsp_ids=["mrc1"], limits={"wind": 10}))
    await put(web, "mrc1", an_observatory(elevation=None, limits={"rain": 1}))
    async with web.database.begin() as connection:
        found = await service.effective(connection, "mrc1")
        assert found.wema == "mrc"
        assert sorted(found.inherited) == ["TZ_database_name", "elevation", "latitude", "longitude"]
        assert found.configuration["elevation"] == a_wema()["elevation"]
        assert found.configuration["limits"] == {"rain": 1}
        assert (found.configuration["instance_type"], "obsp_ids" in found.configuration) == ("obs", False)
        own = await service.effective(connection, "mrc")
        assert (own.wema, own.inherited) == (None, [])
    for name in ("nowhere", "", 5, "\x00", ["mrc"]):
        await put(web, "lost", an_observatory(wema_name=name))
        async with web.database.begin() as connection:
            assert (await service.effective(connection, "lost")).inherited == []


async def test_versions_are_told_on_the_feed(web: Context) -> None:
    await put(web, "mrc", a_wema())
    await put(web, "mrc", a_wema())
    await put(web, "tst", a_wema())
    await service.delete_config(web, "mrc", actor="site")
    async with web.database.begin() as connection:
        page = await page_after(connection, CONFIGURATIONS, BEGINNING, 100)
    assert [(one.key, one.payload) for one in page.entries] == [
        ("mrc", {"version": 1, "deleted": False}),
        ("tst", {"version": 1, "deleted": False}),
        ("mrc", {"version": 2, "deleted": True}),
    ]
