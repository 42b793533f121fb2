"""What a change set would do, found out in memory: nothing is written, no file is opened."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from armillary.access.models import OPERATOR, Principal
from armillary.archive.query import service as query
from armillary.context import Context
from armillary.edits.acceptance import Decision, decide
from armillary.edits.apply import HduEffect, apply_request
from armillary.edits.changesets.members import check, refuse_absent
from armillary.edits.changesets.models import Preview, SampleChange, Wanted
from armillary.edits.disclosure import Discretion
from armillary.edits.execution import change_to_json
from armillary.edits.models import Target
from armillary.errors import ArmillaryError

PAGE, MOST_REASONS = 500, 20


async def preview(context: Context, wanted: Wanted, *, samples: int, viewer: Principal = OPERATOR) -> Preview:
    """Return what would happen to the files as the catalog knows them; show the first ones that would change.

    Files whose headers the viewer may not read are counted, and nothing else is told of them.

    Raises
    ------
    BadSelection, BadPredicate, BadChangeSet, ItemRefused
        If the change set would be refused as a whole.
    """
    checked = check(context, wanted, viewer)
    async with context.database.begin() as connection:
        today = context.clock.now().date()
        await refuse_absent(connection, wanted, today=today, viewer=viewer)
    found, reasons, after = Preview(), Counter[str](), 0
    known = Discretion(viewer, context.clock.now().date())
    while True:
        # A transaction per page: the walk may take long, and old rows could not be cleaned up meanwhile.
        async with context.database.begin() as connection:
            rows = await query.page_of(connection, checked.members, after=after, count=PAGE)
            await known.look_at(connection, [row.file_id for row in rows])
            told = [row for row in rows if not known.hides(row.file_id)]
            requests = [
                replace(checked.request, target=Target(row.name, file_id=row.file_id)) for row in told
            ]
            decisions = await decide(connection, requests, context.settings.edits)
        found.matched += len(rows)
        found.withheld += len(rows) - len(told)
        await asyncio.to_thread(_judge, decisions, found, reasons, samples)
        if len(rows) < PAGE:
            break
        after = rows[-1].file_id
    found.reasons = dict(reasons.most_common(MOST_REASONS))
    return found


def _judge(decisions: Sequence[Decision], found: Preview, reasons: Counter[str], samples: int) -> None:
    for decision in decisions:
        request, version = decision.request, decision.version
        try:
            if decision.error is not None:
                raise decision.error
            if request is None or version is None:
                raise AssertionError("what is not refused has a file")
            _, effects = apply_request(version.layout(), request)
        except ArmillaryError as error:
            found.refused += 1
            reasons[error.message] += 1
            continue
        if not effects:
            found.unchanged += 1
            continue
        found.would_change += 1
        if len(found.samples) < samples:
            found.samples.append({"file": version.name, "changes": [_shown(effect) for effect in effects]})


def _shown(effect: HduEffect) -> SampleChange:
    card = effect.effect
    cards = {"before": _card(card.old_raw), "after": _card(card.new_raw)}
    return cast(SampleChange, {**change_to_json(effect), **cards})


def _card(raw: bytes) -> str:
    return "\n".join(raw[at : at + 80].decode("latin-1").rstrip() for at in range(0, len(raw), 80))
