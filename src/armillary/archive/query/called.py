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
    return version.c.id.in_(sa.union_all(*parts))


def _at(places: Sequence[tuple[str, str, str]]) -> sa.Select[tuple[int]]:
    """Return the ids of versions at (name of a root or nothing, path, logical name)."""
    columns = [sa.cast([place[at] for place in places], sa.ARRAY(sa.Text)) for at in range(3)]
    meant = sa.func.unnest(*columns).table_valued("root", "path", "name").render_derived("meant")
    # Names of their own, so that they never mean rows of the statement around them.
    of_file, there, base = file.alias("called"), version.alias("there"), root.alias("base")
    directories = sa.any_(array([meant.c.path, sa.literal_column("''", sa.Text)]))
    named = sa.and_(of_file.c.name == meant.c.name, of_file.c.directory == directories)
    placed = sa.and_(there.c.file_id == of_file.c.id, there.c.path == meant.c.path)
    joined = meant.join(of_file, named).join(there, placed).join(base, base.c.id == there.c.root_id)
    return sa.select(there.c.id).select_from(joined).where(meant.c.root.in_(["", base.c.name]))


def _named(names: Sequence[str]) -> sa.Select[tuple[int]]:
    of_file, there = file.alias("bearer"), version.alias("of_bearer")
    wanted = of_file.c.name == sa.any_(sa.cast(list(names), sa.ARRAY(sa.Text)))
    return sa.select(there.c.id).join_from(of_file, there, there.c.file_id == of_file.c.id).where(wanted)
