"""Files that are called by paths, as a condition of SQL."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import array

from armillary.archive.catalog.names import Called
from armillary.archive.catalog.tables import file, root, version


def is_called(texts: Sequence[str]) -> sa.ColumnElement[bool]:
    """Return whether a version lies where one of some paths leads, or its file bears one of some names."""
    called = [Called.of_text(text) for text in texts]
    names = sorted({one.name for one in called if one.path is None})
    places = sorted({(name or "", path, one.name) for one in called for name, path in one.alternatives})
    parts = [_at(places)] if places else []
    parts += [_named(names)] if names else []
    if not parts:
        return sa.false()
    meant = sa.union_all(*parts).cte("meant")
    # The files, too: frames have an index by file, and none by version.
    files, versions = sa.select(meant.c.file_id), sa.select(meant.c.id)
    return sa.and_(file.c.id.in_(files), version.c.id.in_(versions))


def _at(places: Sequence[tuple[str, str, str]]) -> sa.Select[tuple[int, int]]:
    """Return ids and files of versions at (name of a root or nothing, path, logical name)."""
    columns = [sa.cast([place[at] for place in places], sa.ARRAY(sa.Text)) for at in range(3)]
    asked = sa.func.unnest(*columns).table_valued("root", "path", "name").render_derived("asked")
    # Names of their own, so that they never mean rows of the statement around them.
    of_file, there, base = file.alias("called"), version.alias("there"), root.alias("base")
    directories = sa.any_(array([asked.c.path, sa.literal_column("''", sa.Text)]))
    named = sa.and_(of_file.c.name == asked.c.name, of_file.c.directory == directories)
    placed = sa.and_(there.c.file_id == of_file.c.id, there.c.path == asked.c.path)
    joined = asked.join(of_file, named).join(there, placed).join(base, base.c.id == there.c.root_id)
    wanted = asked.c.root.in_(["", base.c.name])
    return sa.select(there.c.id, there.c.file_id).select_from(joined).where(wanted)


def _named(names: Sequence[str]) -> sa.Select[tuple[int, int]]:
    of_file, there = file.alias("bearer"), version.alias("of_bearer")
    wanted = of_file.c.name == sa.any_(sa.cast(list(names), sa.ARRAY(sa.Text)))
    joined = of_file.join(there, there.c.file_id == of_file.c.id)
    return sa.select(there.c.id, there.c.file_id).select_from(joined).where(wanted)
