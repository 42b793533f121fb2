"""What somebody may learn of edits who may make them, but may not read the headers: the one rule for all surfaces.

Of a file whose headers tell a position that is under embargo, an editor without the scope ``read`` sees what it
sent itself and whether it worked. It sees no card of before, not whether a card was there, nothing that others
sent, and no reason that may quote any of these. Whether a file changed is public, as its digests are.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Grants, Permission, Principal, Scope, Subjects
from armillary.archive.query import service as query
from armillary.edits.models import EditRequest

WITHHELD = "It was not applied; a token that may read the file is told why."
REPEATING = ("Some of the keywords don't exist in the file: ", "Cancelled by ")
"""Reasons that begin like this repeat what was sent, and who cancelled it."""


_SUBJECTS = ("programs", "observations", "instruments", "files")


class Discretion:
    """Which files keep their headers from a viewer."""

    def __init__(self, viewer: Principal, today: date) -> None:
        self.viewer, self._today = viewer, today
        self._hidden: frozenset[int] = frozenset()
        self._unknown: frozenset[int] = frozenset()

    @property
    def needless(self) -> bool:
        """Whether the viewer may read everything."""
        return query.sees_everything(self.viewer)

    async def look_at(self, connection: AsyncConnection, file_ids: Iterable[int]) -> None:
        """Find out which of these files are hidden, before they are asked about."""
        wanted = frozenset(file_ids)
        self._hidden |= await query.hidden_among(connection, wanted, self.viewer, self._today)
        self._unknown |= await query.unknown_among(connection, wanted, self.viewer, self._today)

    async def hides_any(self, connection: AsyncConnection, file_ids: sa.Select[Any]) -> bool:
        """Tell whether one of the files that a statement chooses is hidden."""
        return await query.any_hidden(connection, file_ids, self.viewer, self._today)

    def hides(self, file_id: int | None) -> bool:
        """Tell whether the headers of a file that was looked at are kept from the viewer."""
        return file_id in self._hidden

    def knows(self, file_id: int | None) -> bool:
        """Tell whether the viewer may know that there is a file that was looked at."""
        return file_id not in self._unknown

    async def hides_names(self, connection: AsyncConnection) -> bool:
        """Tell whether there may be files that the viewer may not know of."""
        return not self.needless and await query.hides_files(connection)

    def error(self, text: str | None, file_id: int | None) -> str | None:
        """Return why an edit of a file failed, as far as the viewer may know."""
        if text is None or not self.hides(file_id) or text.startswith(REPEATING):
            return text
        return WITHHELD

    def code(self, code: str | None, file_id: int | None) -> str | None:
        """Return the code of that reason, which is kept from whoever may not know the reason."""
        return None if self.hides(file_id) else code


def sent_by(request: EditRequest) -> list[dict[str, Any]]:
    """Return the cards of a request as changes of which nothing is known but what was sent."""
    return [
        {
            "extension": list(extension) if isinstance(extension, tuple) else extension,
            "keyword": change.keyword,
            "old": None,
            "new": change.value,
            "created": None,
        }
        for extension, changes in request.by_extension()
        for change in changes
    ]


def viewer_to_json(viewer: Principal) -> dict[str, Any]:
    """Return who looks, for a work order whose answer is for nobody else."""
    grants = viewer.grants
    return {
        "name": viewer.name,
        "scopes": sorted(map(str, viewer.permissions)),
        "grants": _subjects_to_json(grants) | {"metadata": _subjects_to_json(grants.metadata)},
    }


def _subjects_to_json(given: Grants | Subjects) -> dict[str, Any]:
    return {name: sorted(getattr(given, name)) for name in _SUBJECTS}


def viewer_of_json(found: Any, actor: str) -> Principal:
    """Return who looks; an order that does not say is one of somebody who may edit and nothing more."""
    if not isinstance(found, dict):
        return Principal(actor, frozenset({Permission(Scope.EDIT)}))
    given = found["grants"]
    told = Subjects(**{name: frozenset(given.get("metadata", {}).get(name, ())) for name in _SUBJECTS})
    grants = Grants(**{name: frozenset(given[name]) for name in _SUBJECTS}, metadata=told)
    return Principal(found["name"], frozenset(map(Permission.of_text, found["scopes"])), grants)
