"""What is told of change sets and their files.

What is wanted of which files is null where the viewer may not know it; of names the first hundred are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import UNSET, Struct, UnsetType

from armillary.base.clock import Instant
from armillary.edits.changesets.models import ChangeSetState, FileState, Preview

if TYPE_CHECKING:
    StoredPreview = dict[str, Any]
else:
    StoredPreview = Preview
Extension = int | str | list[str | int] | None


class ChangeSetSummary(Struct, frozen=True, kw_only=True):
    """A change set with the number of its files in every state."""

    id: int
    state: ChangeSetState
    actor: str
    why: str
    batch: str | None
    created: Instant
    finished: Instant | None
    reverter: str | None
    values: dict[str, Any] | None
    selection: tuple[str, ...] | None
    keywords: tuple[str, ...] | None
    criteria: tuple[str, ...] | None
    comments: dict[str, str] | None
    names: tuple[str, ...]
    reject_new: bool
    extension: Extension
    matched: int
    files: dict[FileState, int]
    dry_run: bool


class TroubledFile(Struct, frozen=True, kw_only=True):
    """A file that is not as wanted, and why."""

    file: str
    state: FileState
    error: str | None


class ChangeSetReport(ChangeSetSummary, frozen=True, kw_only=True):
    """A change set with its rate and its first errors."""

    files_per_s: float
    errors: list[TroubledFile]


class AskedChangeSet(Struct, frozen=True, kw_only=True):
    """A change set that is still to be created or failed to be, or a dry run with what it found."""

    id: int
    state: Literal["requested", "previewed", "failed"]
    actor: str
    created: Instant
    values: dict[str, Any] | None
    selection: tuple[str, ...] | None
    keywords: tuple[str, ...] | None
    criteria: tuple[str, ...] | None
    comments: dict[str, str] | None
    names: tuple[str, ...]
    reject_new: bool
    extension: Extension
    preview: StoredPreview | UnsetType | None = UNSET
    error: str | None
    dry_run: bool


class MemberFile(Struct, frozen=True, kw_only=True):
    """A file of a change set: how it stands, its edit, and why it was not changed."""

    file: str
    state: FileState
    edit: int | None
    error: str | None
