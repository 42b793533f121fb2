"""Failures of the embedded server."""

from __future__ import annotations

from armillary.errors import Unavailable


class ServerFailed(Unavailable):
    """The embedded PostgreSQL does not start; look into postgres.log in its directory."""

    code = "database_server_failed"
