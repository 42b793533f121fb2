"""What others may ask of sites: configurations, the night log, events."""

from armillary.sites.configs import (
    all_configs,
    config_of,
    delete_config,
    diff,
    effective,
    find_config,
    put_config,
    rollback,
    version,
    versions,
)
from armillary.sites.nightlog import (
    add_entry,
    as_json_line,
    as_text,
    delete_note,
    export_log,
    night_rule,
    note_of,
    put_note,
    search_log,
)
from armillary.sites.store import sites as site_names
from armillary.sites.zones import zone_of

__all__ = [
    "add_entry",
    "all_configs",
    "as_json_line",
    "as_text",
    "config_of",
    "delete_config",
    "delete_note",
    "diff",
    "effective",
    "export_log",
    "find_config",
    "night_rule",
    "note_of",
    "put_config",
    "put_note",
    "rollback",
    "search_log",
    "site_names",
    "version",
    "versions",
    "zone_of",
]
