"""An archive with a header service."""

from tests.support.archive import archive
from tests.support.exposing import observatory
from tests.support.postgres import postgres

__all__ = ["archive", "observatory", "postgres"]
