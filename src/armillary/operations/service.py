"""What the dialects and commands may ask of operations: how an archive stands, its chores, copies of it."""

from armillary.operations.acceptance import Doors, doors_of
from armillary.operations.advice import Advice, advice_on
from armillary.operations.backup import BackupReport, back_up
from armillary.operations.cleaning import PERIODS, recover
from armillary.operations.disclosure import KnownOrder, discretion_of, file_of, known_order, names_of
from armillary.operations.exposition import MEDIA_TYPE, exposition
from armillary.operations.health import Health, health_of
from armillary.operations.heartbeat import beat
from armillary.operations.kinds import CANCEL, RETRY
from armillary.operations.orders import ask_for, carry_out, find_order
from armillary.operations.restore import RestoreReport, restore
from armillary.operations.retention import periods_of
from armillary.operations.sampling import EVERY_S as SAMPLED_S
from armillary.operations.sampling import MOST_HOURS, StatusHistory, history_of, take_sample
from armillary.operations.status import disks_of, status_of, status_to_json

__all__ = [
    "CANCEL",
    "MEDIA_TYPE",
    "MOST_HOURS",
    "PERIODS",
    "RETRY",
    "SAMPLED_S",
    "Advice",
    "BackupReport",
    "Doors",
    "Health",
    "KnownOrder",
    "RestoreReport",
    "StatusHistory",
    "advice_on",
    "ask_for",
    "back_up",
    "beat",
    "carry_out",
    "discretion_of",
    "disks_of",
    "doors_of",
    "exposition",
    "file_of",
    "find_order",
    "health_of",
    "history_of",
    "known_order",
    "names_of",
    "periods_of",
    "recover",
    "restore",
    "status_of",
    "status_to_json",
    "take_sample",
]
