"""Backups, what is forgotten, and what is written down."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class BackupSettings(BaseModel):
    """How backups are made."""

    programs: Path | None = Field(
        None, description="Directory of pg_dump and pg_restore; empty: those of the embedded PostgreSQL."
    )


class RetentionSettings(BaseModel):
    """What is forgotten after a time; empty: never. Records of edits are kept in any case."""

    versions_days: float | None = Field(
        None,
        gt=0,
        description="Days after which replaced versions lose their headers and undo recipes, those that "
        "undoing the latest edit needs excepted.",
    )
    superseded_days: float | None = Field(
        None, gt=0, description="Days that bytes which an upload replaced are kept below .superseded/."
    )
    samples_h: float = Field(
        72.0,
        gt=0,
        description="Hours that telemetry samples are kept, longer than any outage of a link; those that headers"
        " still need, and the values in force, stay in any case.",
    )
    changes_days: float | None = Field(
        None,
        gt=0,
        description="Days that the feed of changes goes back; clients that were away for longer begin anew.",
    )
    status_days: float = Field(
        7.0, gt=0, description="Days that it is kept how the archive stood, for the curves of its status."
    )
    grants_days: float | None = Field(
        None,
        ge=30,
        description="Days that it is recorded who gave and took grants, and who read what by them before its"
        " release.",
    )


class LogSettings(BaseModel):
    """What is written down besides warnings; ARMILLARY_LOG=INFO shows all events."""

    requests: bool = Field(True, description="Write a line for every request that was answered.")
