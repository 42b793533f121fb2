"""Slots: leave to send one file, given to whoever asked for it and signed, so that it can be shown again."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from armillary.base.signing import is_signed, sign
from armillary.errors import ArmillaryError

PURPOSE = "slot"


class SlotRefused(ArmillaryError):
    """The slot is not valid: it was altered, or its time is up; ask for another one."""

    code, status = "slot_refused", HTTPStatus.FORBIDDEN


@dataclass(frozen=True, slots=True)
class Slot:
    """Leave to send one file: its key, until when, of how many bytes at most, and who asked."""

    key: str
    expires: datetime
    most: int
    actor: str = ""


def write_slot(secret: bytes, slot: Slot) -> dict[str, str]:
    """Return the fields of the form that the file is to be sent with."""
    said = [slot.key, slot.expires.isoformat(), slot.most, slot.actor]
    policy = base64.b64encode(json.dumps(said).encode()).decode()
    return {"key": slot.key, "policy": policy, "signature": sign(secret, PURPOSE, policy)}


def read_slot(secret: bytes, fields: dict[str, str], now: datetime) -> Slot:
    """Return the slot that the fields of a form are.

    Raises
    ------
    SlotRefused
        If they were altered, or are too old.
    """
    policy = fields.get("policy", "")
    if not is_signed(secret, fields.get("signature", ""), PURPOSE, policy):
        raise SlotRefused("The signature of the slot is wrong; send its fields as they were given.")
    try:
        key, expires, most, actor = json.loads(base64.b64decode(policy))
        slot = Slot(str(key), datetime.fromisoformat(expires).astimezone(UTC), int(most), str(actor))
    except (ValueError, TypeError, binascii.Error):
        raise SlotRefused from None
    if fields.get("key") != slot.key:
        raise SlotRefused("The slot is for another key.")
    if slot.expires < now:
        raise SlotRefused("The slot has expired; ask for another one.")
    return slot
