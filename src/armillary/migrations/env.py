"""Run migrations on the connection, and in the transaction, that the caller opened."""

from __future__ import annotations

from typing import Any

from alembic import context

applied = context.config.attributes.setdefault("applied", [])


def note(*_words: Any, **told: Any) -> None:
    """Let the caller know how far it came."""
    applied.append(told["step"].up_revision_id)


context.configure(connection=context.config.attributes["connection"], on_version_apply=note)
context.run_migrations()
