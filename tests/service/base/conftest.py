"""A real database for the tests of the base."""

from tests.support.debian import debian
from tests.support.postgres import context, database_name, owner, postgres, web_db, worker_db

__all__ = ["context", "database_name", "debian", "owner", "postgres", "web_db", "worker_db"]
