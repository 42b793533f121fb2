"""A real server for the tests."""

from tests.support.archive import archive
from tests.support.postgres import postgres

__all__ = ["archive", "postgres"]
