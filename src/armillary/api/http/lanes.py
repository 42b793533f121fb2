"""Routes whose requests may be carried out from the bytes of their body to those of their answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.datastructures import State
from starlette.responses import Response
from starlette.types import Receive

from armillary.access.models import Principal

Done = bytes | Response
"""JSON of status 200, or any other answer."""


@dataclass(slots=True)
class Heard:
    """What a request says, and the parts of the process that asks it."""

    state: State
    body: bytes
    receive: Receive


@dataclass(slots=True)
class Errand:
    """What a request asks for, and the resource that it needs a permission for."""

    resource: str | None
    carry_out: Callable[[], Awaitable[Done]]


@dataclass(frozen=True, slots=True)
class Lane:
    """A route that is asked so often that the framework must not stand between it and its requests.

    Parameters
    ----------
    read
        Returns what a request asks for; None if the route itself has to say what is wrong with it.
    admits
        Tells whether somebody may do that to a resource.
    """

    read: Callable[[Heard], Errand | None]
    admits: Callable[[State, Principal, str | None], bool]
