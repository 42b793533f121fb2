"""What a client asks of a file: the fields of a request, judged one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from armillary.access.errors import InvalidGrantee
from armillary.access.service import emails_of, groups_of
from armillary.api.sst_archive.errors import BadFields
from armillary.archive.cubes.models import Options

MAX_BODY = 1 << 20
MAX_TEXT, MOST = 1024, 1000
"""Characters of a text, and texts of a list."""
MAX_PRIORITY = 1000
Mode = Literal["sync", "async"]
Judge = Callable[[object], str | None]
"""Returns why a value will not do, None if it will."""


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """A file of a root, and what is asked of it; ``ignored`` are fields that mean nothing here."""

    relative_path: str
    root: str | None
    options: Options
    priority: int
    mode: Mode
    ignored: tuple[str, ...]


def _is_text(value: object) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return "This has to be a text that is not blank."
    if len(value) > MAX_TEXT or any(ord(one) < 32 for one in value):
        return f"This has to have at most {MAX_TEXT} characters, and no control characters."
    return None


def _is_flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "This has to be true or false."


def _is_list(value: object) -> str | None:
    if not isinstance(value, list) or len(value) > MOST:
        return f"This has to be a list of at most {MOST} texts; an empty one removes all."
    return next((why for one in value if (why := _is_text(one))), None)


def _is_addresses(value: object) -> str | None:
    return _is_list(value) or _why_none(emails_of, value)


def _is_groups(value: object) -> str | None:
    return _is_list(value) or _why_none(groups_of, value)


def _why_none(read: Callable[[list[str]], object], value: object) -> str | None:
    try:
        read(cast(list[str], value))
    except InvalidGrantee as error:
        return error.message
    return None


def _is_priority(value: object) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and abs(cast(int, value)) <= MAX_PRIORITY:
        return None
    return f"This has to be a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}."


def _is_mode(value: object) -> str | None:
    return None if value in ("sync", "async") else "This has to be 'sync' or 'async'."


FIELDS: Mapping[str, Judge] = {
    "relative_path": _is_text,
    "root": _is_text,
    "oid": _is_text,
    "owner_email_addresses": _is_addresses,
    "groups": _is_groups,
    "image_source": _is_text,
    "video_source": _is_text,
    "make_images": _is_flag,
    "make_video": _is_flag,
    "submit_svo": _is_flag,
    "swedish_data": _is_flag,
    "additional": _is_flag,
    "force": _is_flag,
    "verify": _is_flag,
    "priority": _is_priority,
    "mode": _is_mode,
}


def read_request(body: bytes) -> IngestRequest:
    """Return what the body of a request asks.

    Raises
    ------
    BadFields
        Naming every field that cannot be used.
    """
    fields = _fields(body)
    # Null says nothing, as if the field were not there.
    said = {name: value for name, value in fields.items() if name in FIELDS and value is not None}
    wrong = {name: [why] for name, value in said.items() if (why := FIELDS[name](value))}
    if "relative_path" not in said:
        wrong["relative_path"] = ["This field is required."]
    if wrong:
        raise BadFields(wrong)
    options = Options.of_args(said)
    return IngestRequest(
        relative_path=said["relative_path"],
        root=said.get("root"),
        options=options,
        priority=said.get("priority", 0),
        mode=said.get("mode", "sync"),
        ignored=tuple(name for name in fields if name not in FIELDS),
    )


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise BadFields("The body has to be a JSON object.") from None
    if not isinstance(fields, dict):
        raise BadFields("The body has to be a JSON object.")
    return fields


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")
