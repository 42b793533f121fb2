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

__all__ = [
    "all_configs",
    "config_of",
    "delete_config",
    "diff",
    "effective",
    "find_config",
    "put_config",
    "rollback",
    "version",
    "versions",
]
