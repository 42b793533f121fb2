"""The kinds of background work of the archive."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.archive.cubes.models import REFRESH
from armillary.archive.images.models import ARRIVAL
from armillary.archive.intake.ingest import ingest
from armillary.archive.intake.orders import INGEST, INGEST_CUBE
from armillary.archive.intake.staging import INGEST_UPLOAD
from armillary.archive.intake.uploads import ingest_upload
from armillary.archive.products.building import build
from armillary.archive.products.orders import DIGEST
from armillary.archive.products.registry import BUILDERS
from armillary.base.work import Claim, Kind, Later, Response
from armillary.base.work.periods import Period
from armillary.context import Context
from armillary.settings import Settings

BATCH, FILES = 100, 250
"""What is taken at once: most of the cost of a small file is that of its batch."""
PRODUCTS = 4


async def echo(context: Context, claims: Sequence[Claim]) -> None:
    """Answer with the argument: a test that a worker lives."""
    for claim in claims:
        claim.complete(Response(value=claim.order.args.get("echo")))


def periods_of(settings: Settings) -> tuple[Period, ...]:
    """Return what is due again and again."""
    from armillary.archive.cubes.words import refresh as vocabularies

    return vocabularies.periods_of(settings.sst)


KINDS: tuple[Kind[Context], ...] = (
    Kind("echo", echo, batch=BATCH),
    Kind(INGEST, ingest, batch=FILES),
    Kind(INGEST_CUBE, Later("armillary.archive.cubes.run", "ingest_cube")),
    Kind(INGEST_UPLOAD, ingest_upload),
    Kind(ARRIVAL, Later("armillary.archive.images.arrival", "arrive")),
    Kind(REFRESH, Later("armillary.archive.cubes.retagging", "refresh_vocabularies")),
    Kind(
        DIGEST,
        Later("armillary.archive.products.digests", "digest"),
        batch=PRODUCTS,
        interruptible=True,
    ),
    *(Kind(one.name, build, batch=one.batch, interruptible=True) for one in BUILDERS),
)
