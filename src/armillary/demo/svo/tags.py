"""Tags: names that are made once, and never changed or deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from armillary.demo.svo.replies import bad, bad_field, unauthorized
from armillary.demo.svo.uris import Uris
from armillary.demo.svo.world import User, World

LONGEST = 30


class Tags:
    """What can be done to tags."""

    def __init__(self, world: World, uris: Uris) -> None:
        self._world, self._uris = world, uris

    def create(self, user: User, body: dict[str, Any]) -> int:
        """Make a tag."""
        if not user.tags:
            raise unauthorized()
        name = _name(body)
        if name in self._world.tags.values():
            raise bad_field("tag", "name", "Tag with this Name already exists.")
        return self._world.tag(name)

    def check(self, user: User, said: Sequence[Any] | None) -> None:
        """Refuse tags that cannot be given to a record, before anything is made."""
        for one in said or ():
            if isinstance(one, dict):
                if not user.tags:
                    raise unauthorized()
                _name(one)
            else:
                self._uris.tag_of(one)

    def settle(self, said: Sequence[Any] | None) -> set[int]:
        """Return the tags that a record gives by URI or name; those that are missing are made."""
        return {
            self._world.tag(_name(one)) if isinstance(one, dict) else self._uris.tag_of(one)
            for one in said or ()
        }

    def shown(self, tags: Iterable[int]) -> list[dict[str, str]]:
        """Return tags as they read."""
        return [{"name": self._world.tags[one], "resource_uri": self._uris.tag(one)} for one in sorted(tags)]


def _name(body: dict[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise bad("A tag needs a name.")
    if len(name) > LONGEST:
        raise bad_field("tag", "name", f"Ensure this value has at most {LONGEST} characters.")
    return name.strip()
