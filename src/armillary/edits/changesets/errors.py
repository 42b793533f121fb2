"""What can be wrong with a change set."""

from __future__ import annotations

from armillary.errors import BadRequest, Conflict, NotFound


class BadChangeSet(BadRequest):
    """The change set does not say which files it means, or what to change."""

    code = "bad_change_set"


class UnknownChangeSet(NotFound):
    """There is no such change set; see `armillary changeset list`."""

    code = "unknown_change_set"


class ChangeSetBusy(Conflict):
    """The change set is in a state in which that is not possible."""

    code = "change_set_state"
