"""A real archive for the tests, and one that is worth saving."""

from tests.support.archive import archive
from tests.support.backups import night
from tests.support.postgres import postgres

__all__ = ["archive", "night", "postgres"]
