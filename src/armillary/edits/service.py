"""What other nouns and the dialects may ask of edits: judge, queue, take back, and tell how they stand."""

from armillary.edits.acceptance import Key, rules_of, submit_edit, submit_edits
from armillary.edits.apply import apply_request, states_of
from armillary.edits.audit.service import MAX_PAGE, AuditPage, RecordedEdit, audit, file_of_edit, id_of_file
from armillary.edits.disclosure import Discretion
from armillary.edits.leftovers import sweep_recipes
from armillary.edits.recording import record_failures
from armillary.edits.revert import WHOLE, submit_revert
from armillary.edits.status import EditState, EditStatus, RequestStatus, status_of
from armillary.edits.store import forget_expired_requests
from armillary.edits.validation import Rules, checked
from armillary.edits.words import request_of_words, suggest

__all__ = [
    "MAX_PAGE",
    "WHOLE",
    "AuditPage",
    "Discretion",
    "EditState",
    "EditStatus",
    "Key",
    "RecordedEdit",
    "RequestStatus",
    "Rules",
    "apply_request",
    "audit",
    "checked",
    "file_of_edit",
    "forget_expired_requests",
    "id_of_file",
    "record_failures",
    "request_of_words",
    "rules_of",
    "states_of",
    "status_of",
    "submit_edit",
    "submit_edits",
    "submit_revert",
    "suggest",
    "sweep_recipes",
]
