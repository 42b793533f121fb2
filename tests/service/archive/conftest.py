"""A real archive for the tests."""

from tests.support.archive import archive, unique_archive
from tests.support.postgres import postgres

__all__ = ["archive", "postgres", "unique_archive"]
