"""What can be wrong with sites, their configurations, notes and rooms."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, Conflict, NotFound, RequestTooLarge


class BadSiteName(BadRequest):
    """Invalid name of a site: use 1 to 32 letters, digits, `_`, `-` and `.`."""

    code = "bad_site_name"


class ReservedName(BadRequest):
    """No site can have this name, since paths of other routes begin with it."""

    code = "reserved_site_name"


class UnknownSite(NotFound):
    """There is no configuration of this site."""

    code = "unknown_site"


class BadConfig(BadRequest):
    """The configuration is no JSON object; nothing was changed."""

    code = "bad_config"


class EmptyConfig(BadRequest):
    """The configuration is empty; nothing was changed. Add `allow_empty=1` to store an empty one."""

    code = "empty_config"


class ConfigTooLarge(RequestTooLarge):
    """The configuration is larger than `photon_ranch.max_config`; nothing was changed."""

    code = "config_too_large"


class ConfigRefused(BadRequest):
    """The site is strict (`photon_ranch.strict_sites`) and its configuration has faults; nothing was changed."""

    code = "config_refused"


class ConfigChanged(ArmillaryError):
    """The configuration is not the one that If-Match names; get it again and repeat the change."""

    code, status = "config_changed", HTTPStatus.PRECONDITION_FAILED


class UnknownConfigVersion(NotFound):
    """The configuration of this site has no such version."""

    code = "unknown_config_version"


class DeletedVersion(Conflict):
    """This version records that the configuration was deleted; choose an earlier one."""

    code = "deleted_config_version"


class BadNote(BadRequest):
    """The note cannot be kept."""

    code = "bad_note"


class UnknownLogEntry(BadRequest):
    """The night log of this site has no such entry to correct."""

    code = "unknown_log_entry"


class BadLogCursor(BadRequest):
    """Invalid cursor. Use one that the log has returned, or leave it out."""

    code = "bad_log_cursor"
