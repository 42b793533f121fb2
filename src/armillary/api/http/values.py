"""Values as JSON has them."""

from __future__ import annotations

from typing import Any

import msgspec


def plain(value: Any) -> Any:
    """Return values as JSON has them, models as objects: instants in UTC with a Z, dates and UUIDs as text.

    They are made into text by the encoder of the standard library afterwards, as ever: msgspec's own writes small
    and large floating-point numbers otherwise, 1e-5 for 1e-05.
    """
    return msgspec.to_builtins(value)
