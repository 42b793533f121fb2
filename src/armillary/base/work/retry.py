"""What an exception means for an order: the end, or another try after a while."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.base.database_errors import DatabaseFull, is_full, is_transient, told
from armillary.base.store.errors import WAITED_FOR, explain
from armillary.base.work.errors import HandlerFailed
from armillary.base.work.models import NO_LIMIT, Order
from armillary.errors import ArmillaryError, Unavailable


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how fast orders of a kind are tried again; delays double.

    ``max_attempts`` None means until they succeed, ever more rarely.
    """

    first_s: float = 1.0
    last_s: float = 300.0
    max_attempts: int | None = 5

    def most(self, order: Order) -> int | None:
        """Return how many attempts an order has, None without a limit; its own word comes first."""
        if order.max_attempts is None:
            return self.max_attempts
        return None if order.max_attempts == NO_LIMIT else order.max_attempts

    def delay_s(self, attempts: int, chance: float) -> float:
        """Return the pause after the given number of attempts.

        ``chance`` in [0, 1) spreads orders that failed together: the pause is 50 to 100 % of the full one.
        """
        full = min(self.last_s, self.first_s * 2.0 ** min(attempts - 1, 60))
        return full * (0.5 + chance / 2)


def is_final(error: BaseException) -> bool:
    """Tell whether trying again is pointless: somebody decided so, and it was not for lack of a part."""
    return isinstance(error, ArmillaryError) and not error.transient


def is_expected(error: BaseException) -> bool:
    """Tell whether the message says it all; the traceback of anything else goes to the log."""
    return isinstance(error, ArmillaryError) or is_transient(error)


def is_waiting(error: BaseException) -> bool:
    """Tell whether an order waits for this to pass: what is in its way is in the way of all others, too."""
    return isinstance(error, ArmillaryError) and error.waits


def known(error: BaseException, name: str) -> BaseException:
    """Return an error as one of ours if it says that a disk or the database takes nothing, else as it is.

    ``name`` is what an error of the system is about.
    """
    if isinstance(error, ArmillaryError):
        return error
    if isinstance(error, OSError) and error.errno in WAITED_FOR:
        return explain(error, name)
    return DatabaseFull() if is_full(error) else error


def code_of(error: BaseException) -> str:
    """Return the code that an exception is stored with: that of its class, if it is one of ours."""
    if isinstance(error, ArmillaryError):
        return error.code
    return Unavailable.code if is_transient(error) else HandlerFailed.code


def message_of(error: BaseException) -> str:
    """Return the text of an exception as the database can store it, and as anybody may read it."""
    if isinstance(error, ArmillaryError):
        text = error.message
    else:
        text = told(error) or f"{type(error).__name__}: {error}"
    return text.replace("\x00", "\ufffd")
