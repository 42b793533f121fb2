"""What became of pictures and movies that somebody had asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import product_store
from armillary.archive.catalog.models import MadeProduct
from armillary.archive.products.origins import IMAGE, VIDEO
from armillary.archive.products.standing import NOT_WANTED
from armillary.base.work import Outcome, admin, outcomes
from armillary.base.work.steps import StepOutcome

_ORDER = (StepOutcome.FAILED, StepOutcome.DONE, StepOutcome.SKIPPED)


@dataclass(frozen=True, slots=True)
class MediaOutcome:
    """How the step that makes pictures and movies ended, and why so."""

    outcome: StepOutcome
    why: str = ""


async def media_outcome(
    connection: AsyncConnection, version_id: int, order_ids: Sequence[int]
) -> MediaOutcome | None:
    """Return what became of the orders that `submit_cube_media` queued for a version; None while some wait.

    Of orders that are forgotten the products of the version tell.
    """
    ended = await outcomes(connection, order_ids)
    missing = set(order_ids) - ended.keys()
    if missing and await admin.unfinished_among(connection, missing):
        return None
    found = [_of_order(ended[one]) for one in order_ids if one in ended]
    if missing:
        known = await product_store.made_products(connection, version_id, (IMAGE, VIDEO))
        found += [_of_product(made) for _, made in sorted(known.items())]
    return _together(found)


def _together(found: Sequence[MediaOutcome]) -> MediaOutcome:
    """Return one outcome for all: a failure before what was done, and that before what there was no need for."""
    if not found:
        return MediaOutcome(StepOutcome.SKIPPED, NOT_WANTED)
    outcome = min((one.outcome for one in found), key=_ORDER.index)
    failed = outcome is StepOutcome.FAILED
    reasons = [one.why for one in found if one.why and (one.outcome is outcome or not failed)]
    return MediaOutcome(outcome, "; ".join(dict.fromkeys(reasons)))


def _of_order(ended: Outcome) -> MediaOutcome:
    response = ended.response
    if not response.ok:
        return MediaOutcome(StepOutcome.FAILED, response.error)
    value = response.value if isinstance(response.value, dict) else {}
    if value.get("outcome") == "made":
        return MediaOutcome(StepOutcome.DONE)
    return MediaOutcome(StepOutcome.SKIPPED, str(value.get("why") or value.get("outcome") or ""))


def _of_product(made: MadeProduct) -> MediaOutcome:
    if made.failure is not None:
        return MediaOutcome(StepOutcome.FAILED, made.failure)
    reason = made.product.reason
    return MediaOutcome(StepOutcome.DONE) if reason is None else MediaOutcome(StepOutcome.SKIPPED, reason)
