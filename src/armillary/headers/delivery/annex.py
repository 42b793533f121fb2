"""The annex: the forms of each revision as objects, stored whole, read back, and compared.

Headers are announced and served from the database; the annex follows when its store is there. An object counts as
stored when what was read back has the hash of what was sent.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.base.database_errors import reason_of
from armillary.base.log import get_logger
from armillary.base.place import PRIVATE
from armillary.base.store.models import ObjectStore
from armillary.base.store.stores import Stores
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.headers.delivery import store
from armillary.headers.delivery.making import form_of
from armillary.headers.errors import AnnexUnusable

log = get_logger(__name__)
PORTION, PAUSE_S = 20, 1.0
MEMORY, PATIENCE_S = 1 << 30, 60.0
"""What making an object may take."""
_MISSING = """
SELECT o.exposure, o.product, o.revision, o.extension, o.key, o.attempts, r.sidecar
FROM header_object AS o
JOIN header_revision AS r USING (exposure, product, revision)
WHERE o.stored IS NULL AND o.not_before <= now() AND r.instrument = $1
ORDER BY o.not_before, o.exposure, o.revision LIMIT $2
"""
_STORED = """
UPDATE header_object SET stored = now(), size_bytes = $5, sha256 = $6, url = $7
WHERE exposure = $1 AND product = $2 AND revision = $3 AND extension = $4
"""
_LATER = """
UPDATE header_object SET attempts = attempts + 1, not_before = now() + $5::interval, stored = NULL
WHERE exposure = $1 AND product = $2 AND revision = $3 AND extension = $4
"""
_ALL = """
SELECT o.exposure, o.product, o.revision, o.extension, o.key, o.size_bytes, o.sha256, r.image_id
FROM header_object AS o JOIN header_revision AS r USING (exposure, product, revision)
WHERE o.stored IS NOT NULL AND r.instrument = $1
    AND (o.exposure, o.product, o.revision, o.extension) > ($2::bigint, $3::text, $4::integer, $5::text)
ORDER BY o.exposure, o.product, o.revision, o.extension LIMIT 500
"""


@dataclass(frozen=True, slots=True)
class Annex:
    """Where the objects of headers are."""

    context: Context
    url: str
    store: ObjectStore

    @classmethod
    def of(cls, context: Context) -> Annex:
        """Return the annex of an archive; a directory of this machine is made if it is not there.

        Raises
        ------
        AnnexUnusable
            If it cannot be made.
        """
        settings = context.settings
        url = settings.headers.annex_of(settings.data)
        if urlsplit(url).scheme == "file":
            path = Path(urlsplit(url).path)
            try:
                path.mkdir(mode=0o755, parents=True, exist_ok=True)
                (settings.data / PRIVATE).mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                raise AnnexUnusable(
                    f"Objects of headers cannot be stored in {path}: {error.strerror}."
                ) from error
        stores: Stores = context.stores
        return cls(context, url, stores.at("annex", url, in_place=False))

    def url_of(self, key: str) -> str:
        """Return the address of an object."""
        return f"{self.url.rstrip('/')}/{key}"

    async def fill(self, instrument: str) -> tuple[int, bool]:
        """Store what is missing, each object from its start; return how many, and whether there is more to do."""
        async with self.context.database.begin() as connection:
            found = (await connection.exec_driver_sql(_MISSING, (instrument, PORTION))).all()
        stored = 0
        for row in found:
            try:
                body, digest = await self._body(row)
                await self._put(row.key, body)
            except (ArmillaryError, OSError) as error:
                await self._later(row, error)
                continue
            async with self.context.database.begin() as connection:
                values = (*_place(row), len(body), digest, self.url_of(row.key))
                await connection.exec_driver_sql(_STORED, values)
            stored += 1
        return stored, len(found) == PORTION

    async def _body(self, row: AnyRow) -> tuple[bytes, str]:
        """Return an object, and its hash: from another process, beside which new headers are made undisturbed."""
        first = await self._first(row)
        values = row.extension, bytes(row.sidecar), first
        return await self.context.quick.run(
            lambda ask: ask(form_of, None, *values), memory=MEMORY, seconds=PATIENCE_S
        )

    async def _first(self, row: AnyRow) -> bytes | None:
        if row.extension != "correction":
            return None
        async with self.context.database.raw() as connection:
            return await store.sidecar(connection, row.exposure, row.product, 1)

    async def _put(self, key: str, body: bytes) -> None:
        await self.store.write(key, body, overwrite=True)
        if await self.store.read(key) != body:
            raise OSError(f"{key} is not what was stored")

    async def _later(self, row: AnyRow, error: Exception) -> None:
        settings = self.context.settings.headers
        pause = timedelta(
            seconds=min(settings.retry_first_s * 2.0 ** min(row.attempts, 60), settings.retry_last_s)
        )
        log.error(
            "header object not stored", key=row.key, again_s=pause.total_seconds(), error=reason_of(error)
        )
        async with self.context.database.begin() as connection:
            await connection.exec_driver_sql(_LATER, (*_place(row), pause))

    async def repair(self, instrument: str) -> list[str]:
        """Compare every object with what was stored; let those be stored again that are gone or others."""
        bad: list[str] = []
        after: tuple[int, str, int, str] = (0, "", 0, "")
        while True:
            async with self.context.database.begin() as connection:
                rows = (await connection.exec_driver_sql(_ALL, (instrument, *after))).all()
            if not rows:
                return bad
            wrong = [row for row in rows if not await self._is_right(row)]
            async with self.context.database.begin() as connection:
                for row in wrong:
                    await connection.exec_driver_sql(_LATER, (*_place(row), timedelta(0)))
            bad += [row.key for row in wrong]
            after = _place(rows[-1])

    async def _is_right(self, row: AnyRow) -> bool:
        try:
            body = await self.store.read(row.key)
        except (ArmillaryError, OSError):
            return False
        return bool(len(body) == row.size_bytes and await asyncio.to_thread(_sha256, body) == row.sha256)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _place(row: AnyRow) -> tuple[int, str, int, str]:
    return row.exposure, row.product, row.revision, row.extension


async def objects_of(
    connection: AsyncConnection, exposures: Sequence[int]
) -> dict[tuple[int, str, int], list[AnyRow]]:
    """Return the stored objects of exposures, by exposure, product and revision."""
    query = """
SELECT exposure, product, revision, extension, url, size_bytes, sha256 FROM header_object
WHERE exposure = ANY ($1::bigint[]) AND stored IS NOT NULL ORDER BY exposure, product, revision, extension DESC
"""
    found: dict[tuple[int, str, int], list[AnyRow]] = {}
    for row in await connection.exec_driver_sql(query, (list(exposures),)):
        found.setdefault((row.exposure, row.product, row.revision), []).append(row)
    return found
