"""Revisions are told from the names of files, as Alembic tells them from what is in the files."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

from armillary.base import revisions


def test_files_are_named_and_ordered_by_their_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", "armillary:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert revisions.revisions() == tuple(one.revision for one in scripts.walk_revisions())[::-1]
    assert revisions.head() == scripts.get_current_head()
    assert revisions.knows("0001")
    assert not revisions.knows("0")
