"""What is to be done so that there is what is here; and what keeps deletions within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from armillary.errors import BadRequest
from armillary.publish.svo.local import LocalSet
from armillary.publish.svo.models import Action, Known, Product, Step
from armillary.publish.svo.remote import Remote

DIFFERS = "it differs; --update-existing changes it"
LEAST, PART = 10, 0.1
"""So many records may be deleted without being asked for: a number, or a part of those that there are."""
_LIMIT = re.compile(r"(\d{1,9})|(\d{1,3}(?:\.\d+)?)%")


@dataclass(frozen=True, slots=True)
class Limit:
    """The most records of a dataset that a run deletes: a number or a part of those that there are."""

    count: int = LEAST
    part: float = PART

    @classmethod
    def of_text(cls, text: str) -> Limit:
        """Read ``N`` or ``P%``.

        Raises
        ------
        BadRequest
            If it is neither.
        """
        found = _LIMIT.fullmatch(text.strip())
        if not found:
            raise BadRequest(f"'{text}' is no limit: write a number, as 50, or a part, as 20%.")
        return cls(int(found[1]), 0.0) if found[1] else cls(0, float(found[2]) / 100)

    def of(self, records: int) -> int:
        """Return how many of so many records may be deleted."""
        return max(self.count, int(records * self.part))


def steps_of(local: LocalSet, remote: Remote, *, updating: bool, deleting: bool) -> list[Step]:
    """Return what is to be done, in the order of oids: updates, creations, deletions, unused locations."""
    steps = [
        _step(one, remote.records.get(oid), updating=updating) for oid, one in sorted(local.products.items())
    ]
    aside = sorted(local.aside, key=lambda one: one.file)
    withdrawn = _withdrawn(local, remote) if deleting else {}
    steps += [_aside(one) for one in aside if one.oid not in withdrawn]
    if deleting:
        steps += _surplus(local, remote, withdrawn)
        tidied = {one.uri: one for one in remote.orphans}
        steps += [
            Step(Action.TIDY, "", reason="no record uses this location", place=one.place, location=uri)
            for uri, one in sorted(tidied.items())
        ]
    return sorted(steps, key=lambda one: _PLACES.get(one.action, len(_PLACES)))


_PLACES = {Action.UPDATE: 0, Action.CREATE: 1, Action.DELETE: 2, Action.TIDY: 3}


def _step(product: Product, known: Known | None, *, updating: bool) -> Step:
    step = Step(
        Action.CREATE,
        product.oid,
        product.file,
        product.file_id,
        warnings=product.warnings,
        place=product.place,
        digest=product.digest,
    )
    if known is None:
        return step
    step.location = known.location
    step.action = Action.UPDATE if updating else Action.SKIP
    if is_same(product, known):
        step.action = Action.UNCHANGED
    elif not updating:
        step.reason = DIFFERS
    return step


def is_same(product: Product, known: Known) -> bool:
    """Tell whether a record is as it should be."""
    if product.digest != known.digest or product.place is None or known.place is None:
        return False
    return product.place.at(known.place.file_path) == known.place


def _aside(product: Product) -> Step:
    action = Action.FAIL if product.failed else Action.SKIP
    return Step(action, product.oid, product.file, product.file_id, product.reason, (), product.warnings)


def _withdrawn(local: LocalSet, remote: Remote) -> dict[str, str]:
    """Return the oids of products whose records are there and should not be, with the reasons."""
    kept = local.products.keys() | local.failing
    return {one.oid: one.reason for one in local.aside if one.oid in remote.records and one.oid not in kept}


def _surplus(local: LocalSet, remote: Remote, withdrawn: Mapping[str, str]) -> Iterator[Step]:
    nameless, here = local.nameless, local.products.keys() | local.failing
    for oid, known in sorted(remote.records.items()):
        if oid in here:
            continue
        file = unquote(known.place.file_url.rpartition("/")[2]) if known.place else ""
        reason = withdrawn.get(oid, "no product here has this oid")
        step = Step(Action.DELETE, oid, file, reason=reason, location=known.location)
        if file and file in nameless:
            # Who can no longer be told apart is not gone.
            step.action, step.reason = (
                Action.SKIP,
                f"its file is here, but cannot be told apart: {nameless[file].reason}",
            )
        yield step


def refusal_of(local: LocalSet, remote: Remote, deletions: int, *, limit: Limit, allow_empty: bool) -> str:
    """Return why records must not be deleted; empty if they may."""
    if not deletions:
        return ""
    if not local.products and not allow_empty:
        return "no product of the dataset is here; --allow-empty deletes its records nevertheless"
    if remote.gap:
        return f"the records could not be read whole: {remote.gap}"
    most = limit.of(len(remote.records))
    if deletions > most:
        return f"{deletions} records would be deleted, and {most} may be; --max-deletes {deletions} allows it"
    return ""
