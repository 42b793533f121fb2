"""What lies behind PRIMARY: the HDUs of all detectors, and what was made of them, each once.

Most of a large header is known before its exposure ends. One that is made of equal values again takes these HDUs
and their forms from the one before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from threading import Lock
from typing import Any, TypeVar

from armillary.headers.render.models import Hdu

T = TypeVar("T")
MOST_KEPT = 3
"""Bodies of one plan: those of the exposures that are being read out."""


class Body:
    """HDUs that nobody changes any more, and what was made of them so far."""

    __slots__ = ("_made", "hdus")

    def __init__(self, hdus: list[Hdu]) -> None:
        self.hdus = hdus
        self._made: dict[Hashable, Any] = {}

    def once(self, name: Hashable, make: Callable[[list[Hdu]], T]) -> T:
        """Return what is made of the HDUs, under a name that tells it from all else."""
        if name not in self._made:
            self._made[name] = make(self.hdus)
        found: T = self._made[name]
        return found


class Hdus(list[Hdu]):
    """The HDUs of a header, of which the last ones are a body."""

    __slots__ = ("body",)

    def __init__(self, front: Iterable[Hdu], body: Body) -> None:
        super().__init__([*front, *body.hdus])
        self.body = body


def parted(hdus: Sequence[Hdu]) -> tuple[Sequence[Hdu], Body | None]:
    """Return the HDUs before the body, and the body, if there is one."""
    if not isinstance(hdus, Hdus) or not hdus.body.hdus:
        return hdus, None
    return hdus[: len(hdus) - len(hdus.body.hdus)], hdus.body


class Bodies:
    """The bodies that were made last, by all that they are made of."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Body] = OrderedDict()
        self._lock = Lock()

    def get(self, of: bytes, make: Callable[[], list[Hdu]]) -> Body:
        """Return a body that was made of the same, or make one."""
        with self._lock:
            found = self._kept.get(of)
            if found is not None:
                self._kept.move_to_end(of)
                return found
        made = Body(make())
        with self._lock:
            self._kept[of] = made
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return made
