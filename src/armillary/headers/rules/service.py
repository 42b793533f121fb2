"""What others may ask of the rules."""

from armillary.headers.rules.engine import RULES, check
from armillary.headers.rules.models import Finding, Group, Rule, SetRule, Severity
from armillary.headers.rules.places import parse_site
from armillary.headers.rules.readers import (
    Unreadable,
    document_sheets,
    is_fits,
    raw_sheet,
    scanned_sheet,
    sheets_of,
    trouble,
)
from armillary.headers.rules.report import (
    Report,
    RuleReport,
    finding_to_json,
    report_on,
    report_to_json,
    rules_told,
)
from armillary.headers.rules.sets import SET_RULES, check_set
from armillary.headers.rules.sheet import Cell, Page, Place, Sheet
from armillary.headers.rules.shots import slim

__all__ = [
    "RULES",
    "SET_RULES",
    "Cell",
    "Finding",
    "Group",
    "Page",
    "Place",
    "Report",
    "Rule",
    "RuleReport",
    "SetRule",
    "Severity",
    "Sheet",
    "Unreadable",
    "check",
    "check_set",
    "document_sheets",
    "finding_to_json",
    "is_fits",
    "parse_site",
    "raw_sheet",
    "report_on",
    "report_to_json",
    "rules_told",
    "scanned_sheet",
    "sheets_of",
    "slim",
    "trouble",
]
