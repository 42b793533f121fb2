"""Queues as a whole: made, listed, looked into, set, deleted; and their dead letters."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import afterwards
from armillary.base.text import storable
from armillary.pipe import store
from armillary.pipe.documents import DeadLetters
from armillary.pipe.errors import BadOption, QueueExists, UnknownDeadLetter, UnknownQueue
from armillary.pipe.missing import forget_everywhere
from armillary.pipe.models import FURTHEST_PRIORITY, MOST_SHOWN, Item, Options, PriorityRule, QueueState

MOST_RULES = 100
LONGEST_WINDOW_S = 86_400.0 * 30
MOST_ATTEMPTS = 1000


async def create(connection: AsyncConnection, name: str) -> None:
    """Create a queue.

    Raises
    ------
    QueueExists
        If there is one of that name.
    """
    if not await store.create_queue(connection, name):
        raise QueueExists(f"Queue already exists: {name}")
    # Whoever made it may send to it at once.
    afterwards(connection, forget_everywhere)


async def delete(connection: AsyncConnection, name: str) -> None:
    """Delete a queue with all that is in it; claims of its items are lost.

    Raises
    ------
    UnknownQueue
        If there is none of that name.
    """
    queue = await store.lock_queue(connection, name)
    if queue is None:
        raise _unknown(name)
    # After the lock, so that this sees what was added last.
    await store.drop_queue(connection, queue)


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """Return how many items wait in each queue."""
    return await store.count_waiting(connection)


async def peek(connection: AsyncConnection, name: str, limit: int) -> list[Item]:
    """Return the next items of a queue, at most `MOST_SHOWN`, in the order in which they will be taken.

    Raises
    ------
    UnknownQueue
        If there is none of that name.
    """
    return await store.peek_items(connection, await _find(connection, name), min(limit, MOST_SHOWN))


async def state(connection: AsyncConnection, name: str) -> QueueState:
    """Return what a queue holds, and its options.

    Raises
    ------
    UnknownQueue
        If there is none of that name.
    """
    found = await store.queue_states(connection, name)
    if not found:
        raise _unknown(name)
    return found[0]


async def states(connection: AsyncConnection) -> list[QueueState]:
    """Return what every queue holds."""
    return await store.queue_states(connection)


async def set_options(connection: AsyncConnection, name: str, options: dict[str, Any]) -> QueueState:
    """Set some options of a queue and return its state. Priorities are for items that come later.

    Raises
    ------
    UnknownQueue
        If there is none of that name.
    BadOption
        If an option has a value that cannot be.
    """
    checked = _checked(options)
    queue = await store.lock_queue(connection, name)
    if queue is None:
        raise _unknown(name)
    # What died by the old number of attempts stays dead.
    await store.bury(connection, queue)
    await store.set_options(connection, queue, checked)
    return await state(connection, name)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(options) - set(Options.__struct_fields__)):
        raise BadOption(
            f"There is no option '{unknown[0]}'; there are: {', '.join(Options.__struct_fields__)}."
        )
    try:
        found = msgspec.convert(options, Options)
    except msgspec.ValidationError as error:
        raise BadOption(f"{error}.") from None
    rules: list[PriorityRule] = found.priorities
    if not 0 <= found.dedupe_window_s <= LONGEST_WINDOW_S:
        raise BadOption(f"dedupe_window_s must be from 0 to {LONGEST_WINDOW_S:g} seconds.")
    if not 1 <= found.max_attempts <= MOST_ATTEMPTS:
        raise BadOption(f"max_attempts must be from 1 to {MOST_ATTEMPTS}.")
    if len(rules) > MOST_RULES or any(abs(one.priority) > FURTHEST_PRIORITY for one in rules):
        raise BadOption(
            f"priorities must be at most {MOST_RULES} rules, with priorities from {-FURTHEST_PRIORITY}"
            f" to {FURTHEST_PRIORITY}."
        )
    if not all(storable(text) for one in rules for text in (one.sender, one.request) if text is not None):
        raise BadOption("A rule of priorities holds characters that no text has.")
    return {name: getattr(found, name) for name in options}


async def dead_letters(connection: AsyncConnection, name: str, *, after: int, limit: int) -> DeadLetters:
    """Return dead letters of a queue, in the order of their old places.

    Raises
    ------
    UnknownQueue
        If there is none of that name.
    """
    queue = await _find(connection, name)
    await store.bury(connection, queue)
    found = await store.dead_letters(connection, queue, after=after, limit=limit + 1)
    rest = found[limit - 1][0] if len(found) > limit else None
    return DeadLetters(dead=[letter for _, letter in found[:limit]], next=rest)


async def requeue(connection: AsyncConnection, name: str, item: str | None) -> int:
    """Put a dead letter, or all of a queue, back to its old place with all its attempts; return how many.

    Raises
    ------
    UnknownQueue
        If there is none of that name.
    UnknownDeadLetter
        If the item is no dead letter of it.
    """
    queue = await _find(connection, name)
    await store.bury(connection, queue)
    count = await store.requeue(connection, queue, item)
    if item is not None and not count:
        raise UnknownDeadLetter(f"The queue '{name}' has no dead letter '{item[:100]}'.")
    await store.tell_free(connection, queue)
    return count


async def discard(connection: AsyncConnection, name: str, item: str) -> None:
    """Delete a dead letter.

    Raises
    ------
    UnknownQueue
        If there is none of that name.
    UnknownDeadLetter
        If the item is no dead letter of it.
    """
    queue = await _find(connection, name)
    await store.bury(connection, queue)
    if not await store.discard(connection, queue, item):
        raise UnknownDeadLetter(f"The queue '{name}' has no dead letter '{item[:100]}'.")


async def _find(connection: AsyncConnection, name: str) -> int:
    found = await store.find_queue(connection, name)
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: str) -> UnknownQueue:
    return UnknownQueue(f"Queue does not exist: {name}")
