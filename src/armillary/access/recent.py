"""Who bore which token a moment ago, so that not every request asks the database for it again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from weakref import WeakSet

from armillary.access.models import Principal

MOST = 10_000
_everywhere: WeakSet[Recent] = WeakSet()


@dataclass(frozen=True, slots=True)
class Found:
    """Whom a token belongs to, and for how many seconds more it lasts; None for ever."""

    principal: Principal
    left_s: float | None


class Recent:
    """What was found out about tokens, by their digests, until something about tokens or grants changes.

    It is off, and remembers nothing, unless somebody listens to what changes.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._on = False
        self.generation = 0
        """How often everything was forgotten. What was asked in an earlier generation may be older than that."""
        _everywhere.add(self)

    def __len__(self) -> int:
        return len(self._kept)

    def turn(self, *, on: bool) -> None:
        """Begin or end to remember; both begin with nothing."""
        self._on = on
        self.forget()

    def find(self, digest: bytes, now_s: float) -> Principal | None:
        """Return who bears a token, if that is remembered; ``now_s`` by the clock that never goes back."""
        until_s, principal = self._kept.get(digest, (0.0, None))
        return principal if now_s < until_s else None

    def keep(self, digest: bytes, found: Found, *, began_s: float, seconds: float, generation: int) -> None:
        """Remember what the database was asked at ``began_s`` for some seconds, not beyond the end of the token.

        A look-up that began before everything was forgotten last may not have seen why: its answer is for whoever
        waits for it, and for nobody who comes later.
        """
        if not self._on or generation != self.generation:
            return
        lasts_s = seconds if found.left_s is None else min(seconds, found.left_s)
        self._kept[digest] = (began_s + lasts_s, found.principal)
        self._kept.move_to_end(digest)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Forget everything, and what is being asked just now as well."""
        self.generation += 1
        self._kept.clear()


def forget_everywhere() -> None:
    """Forget everything in all parts of this process, which need not wait for the signal from the database."""
    for one in tuple(_everywhere):
        one.forget()
