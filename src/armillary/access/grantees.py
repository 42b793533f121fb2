"""People by their e-mail addresses, and groups, as they are written and as they are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable

from armillary.access.errors import InvalidGrantee
from armillary.base.text import has_controls, storable

MAX_ADDRESS, MAX_GROUP = 254, 128
"""Characters: RFC 5321, section 4.5.3.1.3, less the brackets; and what a name of a group may have."""
MOST = 1000
"""Grantees of one list."""
_ADDRESS = re.compile(r"""[^\s@,;:<>()\[\]"\\]{1,64}@[^\s@,;:<>()\[\]"\\.]+(?:\.[^\s@,;:<>()\[\]"\\.]+)*""")


def email_of(text: str) -> str:
    """Return an address in the form in which addresses are compared.

    Raises
    ------
    InvalidGrantee
        If it is no address.
    """
    address = text.strip()
    if (
        not _ADDRESS.fullmatch(address)
        or len(address) > MAX_ADDRESS
        or not storable(address)
        or has_controls(address)
    ):
        raise InvalidGrantee(f"{text[:MAX_ADDRESS]!r} is no e-mail address; write it as name@host.")
    return "".join(map(_folded, address))


def _folded(character: str) -> str:
    # Some letters of other scripts fold to letters of ASCII, as the sign of kelvin does: the address of somebody
    # who was granted nothing must not become that of another.
    folded = character.casefold()
    return folded if character.isascii() or not any(map(str.isascii, folded)) else character


def emails_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return addresses as they are compared, each once.

    Raises
    ------
    InvalidGrantee
        Naming the first that is none, or if they are too many.
    """
    return _few(dict.fromkeys(map(email_of, texts)), "addresses")


def group_of(text: str) -> str:
    """Return the name of a group; names of groups differ in case.

    Raises
    ------
    InvalidGrantee
        If it is empty, too long, or holds what nobody sees.
    """
    name = text.strip()
    if not name or len(name) > MAX_GROUP or has_controls(name):
        raise InvalidGrantee(
            f"{text[:MAX_GROUP]!r} is no name of a group: 1 to {MAX_GROUP} characters that can be shown."
        )
    return name


def groups_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return names of groups, each once.

    Raises
    ------
    InvalidGrantee
        Naming the first that is none, or if they are too many.
    """
    return _few(dict.fromkeys(map(group_of, texts)), "groups")


def _few(names: Iterable[str], called: str) -> tuple[str, ...]:
    found = tuple(names)
    if len(found) > MOST:
        raise InvalidGrantee(f"A list names {len(found)} {called}, of at most {MOST}; make them a group.")
    return found
