"""Work orders as pages show them: what each is about, and in words why it waits or failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from armillary.base.work import State
from armillary.base.work.admin import OrderView
from armillary.console.words import span
from armillary.operations import service as operations

_ASKING = (operations.CANCEL, operations.RETRY)


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """An order, what it is about, why it stands as it does, what can be done, and the one that it waits for."""

    view: OrderView
    file: str | None
    why: str
    code: str | None
    behind: int | None
    due_in_s: float
    cancellable: bool
    retryable: bool


def shown(
    view: OrderView, error: str | None, code: str | None, *, behind: int | None, now: datetime
) -> ShownOrder:
    """Return an order with its reason; ``error`` and ``code`` are what may be told of them."""
    due_in_s = (view.not_before - now).total_seconds() if view.state is State.QUEUED else 0.0
    return ShownOrder(
        view=view,
        file=operations.file_of(view.args),
        why=_reason(view, error, behind, due_in_s),
        code=code if error else None,
        behind=behind,
        due_in_s=max(due_in_s, 0.0),
        cancellable=_is_cancellable(view),
        retryable=view.kind not in _ASKING
        and (view.state is State.FAILED or (view.state is State.QUEUED and due_in_s > 0)),
    )


def attempt_of(view: OrderView) -> str:
    """Return which attempt the last one was, as `attempt 2 of 5`."""
    return f"attempt {view.attempts}" + (f" of {view.max_attempts}" if view.max_attempts else "")


def _is_cancellable(view: OrderView) -> bool:
    if view.in_doubt:
        return False
    return view.state is State.QUEUED or (view.state is State.STARTED and view.steps is not None)


def _reason(view: OrderView, error: str | None, behind: int | None, due_in_s: float) -> str:
    match view.state:
        case State.FAILED:
            return _sentence(error or "It failed without a reason")
        case State.STARTED:
            before = f" The attempt before failed: {_sentence(error)}" if error else ""
            return f"Runs, {attempt_of(view)}.{before}"
        case State.QUEUED:
            return _waits(view, error, behind, due_in_s)
    return ""


def _waits(view: OrderView, error: str | None, behind: int | None, due_in_s: float) -> str:
    """Return why an order has not begun, or not again."""
    if view.held is not None:
        return f"Waits for room. {_sentence(error) if error else ''}".strip()
    if view.in_doubt:
        return "Its worker ended while it may have changed the file; the next worker looks at what was done."
    failed = (
        f"The last one, {attempt_of(view)}, failed: {_sentence(error)}" if view.attempts and error else ""
    )
    if due_in_s > 0:
        again = f"It is tried again in {span(due_in_s)}."
        if failed:
            return f"{failed} {again}"
        return f"{_sentence(error)} {again}" if error else f"It is not due for another {span(due_in_s)}."
    if behind is not None:
        return f"Order {behind} has to end first: both are about the same thing."
    return f"{failed} The next free worker takes it.".strip()


def _sentence(text: str) -> str:
    """Return a text with the full stop that most errors have, and some of other programs have not."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
