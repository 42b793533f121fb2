"""Conditions on orders for the statements of nouns, which join their own tables with orders by number.

A noun that knows thousands of numbers would have to send them all to learn which orders have ended. So it
takes the condition from here and leaves the join to the database. These are texts of SQL that only read;
``number`` is an expression for the id of an order, as `m.order_id`.
"""

# What is put into these texts are constants of the modules that use them.
# ruff: noqa: S608

from __future__ import annotations


def is_unfinished(number: str) -> str:
    """Return the condition that an order is queued or started."""
    return f"EXISTS (SELECT FROM work_order AS o WHERE o.id = {number} AND o.state IN ('Queued', 'Started'))"


def is_held(number: str) -> str:
    """Return the condition that an order waits for room."""
    return f"EXISTS (SELECT FROM work_order AS o WHERE o.id = {number} AND o.held IS NOT NULL)"


def place_of(number: str) -> str:
    """Return the expression for the place of an order among those of its key, whether it is kept or forgotten."""
    return f"coalesce((SELECT o.place FROM work_order AS o WHERE o.id = {number}), {number})"


def failed(kinds: str, numbers: str) -> str:
    """Return the table of the failed orders of some kinds; ``numbers`` leaves but those, unless it is null."""
    return f"""(
    SELECT id, request_id, item_index, actor, args, error, error_code, added, finished FROM work_order
    WHERE kind = ANY({kinds}::text[]) AND state = 'Failed' AND ({numbers}::bigint[] IS NULL OR id = ANY({numbers}))
)"""
