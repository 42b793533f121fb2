"""What other nouns and the dialects may ask of the intake: files into the catalog, and another look at them."""

from armillary.archive.intake.adoption import location_of
from armillary.archive.intake.beside import get_ready
from armillary.archive.intake.bulk import (
    IngestReport,
    Run,
    Search,
    collect,
    queue,
    search_members,
    search_paths,
    submit_paths,
    tell_contested,
)
from armillary.archive.intake.examination import examine
from armillary.archive.intake.identities import Changed, set_identity
from armillary.archive.intake.orders import INGEST, submit_ingests
from armillary.archive.intake.plans import Planned, plan
from armillary.archive.intake.profiles import profiles_of
from armillary.archive.intake.reading import describer_of
from armillary.archive.intake.staging import INGEST_UPLOAD, sweep_staging
from armillary.archive.intake.uploads import PROCESSED_CALIBRATION, receive_upload
from armillary.archive.intake.verification import Finding, verify_files, verify_version
from armillary.archive.intake.watching import watch_root, watch_roots

__all__ = [
    "INGEST",
    "INGEST_UPLOAD",
    "PROCESSED_CALIBRATION",
    "Changed",
    "Finding",
    "IngestReport",
    "Planned",
    "Run",
    "Search",
    "collect",
    "describer_of",
    "examine",
    "get_ready",
    "location_of",
    "plan",
    "profiles_of",
    "queue",
    "receive_upload",
    "search_members",
    "search_paths",
    "set_identity",
    "submit_ingests",
    "submit_paths",
    "sweep_staging",
    "tell_contested",
    "verify_files",
    "verify_version",
    "watch_root",
    "watch_roots",
]
