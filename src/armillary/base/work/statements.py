"""Every statement of the queue. Rows are claimed and finished by one writer's rules, wherever it happens."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from armillary.base.work.errors import OrderCancelled, WorkerLost
from armillary.base.work.models import NO_LIMIT

QUEUED_CHANNEL = "work_queued"
"""An order became due or unblocked: workers look."""
DONE_CHANNEL = "work_done"
"""Orders ended: ids joined by commas, or nothing if they are too many."""

IN_DOUBT = 10
"""So many times the attempts has an order with an intent: what it meant to do may have happened already."""

SUSPECT = 4
"""So many times the attempts an order is claimed before the death of its worker counts as one."""
SWEPT = 1000
"""So many orders are taken over by one statement."""
PRESENCE = 0x4152_4D4F
"""The class of the advisory locks by which sessions that claim are told from those that have ended."""

COLUMNS = (
    "id, kind, key, args, priority, attempts, max_attempts, intent, fence, leader_id, revision, unique_key,"
    " request_id, item_index, actor, batch, response_required, added, started, place, held"
)

COLUMN_NAMES = tuple(COLUMNS.split(", "))


def _turn(row: str) -> str:
    """Return when the turn of a row comes among those of its key: as the index work_order_of_key sorts them.

    That is by id, but an order that is tried again by hand has the place of the one that failed.
    """
    return f"(coalesce({row}.place, {row}.id), {row}.id)"


LOCK_KEYS = "SELECT pg_advisory_xact_lock($1, bucket) FROM unnest($2::integer[]) AS bucket"

INSERT = f"""
WITH added AS (
    INSERT INTO work_order (
        kind, key, args, priority, not_before, max_attempts,
        request_id, item_index, actor, batch, response_required, place
    )
    SELECT kind, key, args::jsonb, priority, coalesce(not_before, now()), max_attempts,
        request_id, item_index, actor, batch, response_required, place
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::integer[],
        $7::uuid[], $8::integer[], $9::text[], $10::text[], $11::boolean[], $12::bigint[]
    ) WITH ORDINALITY AS new (
        kind, key, args, priority, not_before, max_attempts,
        request_id, item_index, actor, batch, response_required, place, number
    )
    ORDER BY number
    RETURNING id
)
SELECT array_agg(id ORDER BY id), pg_notify('{QUEUED_CHANNEL}', '') FROM added
"""

MERGE = f"""
SELECT array_agg(id), array_agg(unique_key), pg_notify('{QUEUED_CHANNEL}', '')
FROM work_order_merge($1::text::jsonb)
"""

MERGE_OF_KIND = MERGE.replace("($1::text::jsonb)", "($1::text, $2::text::jsonb)")
"""The same in the role of the web, which may merge orders of some kinds only."""

# A run that should be tried again ends if somebody cancelled it meanwhile, unless it may have done something: of
# that only another try knows.
_BACK = "(r.outcome = 'Queued' AND (w.cancelled IS NULL OR w.intent IS NOT NULL))"
_STOPPED = "(r.outcome = 'Queued' AND w.cancelled IS NOT NULL AND w.intent IS NULL)"


def _finished(keep_s: str) -> str:
    return f"""
finished AS (
    UPDATE work_order AS w SET
        state = CASE WHEN {_STOPPED} THEN 'Failed' ELSE r.outcome END,
        attempts = CASE WHEN r.counted THEN w.attempts ELSE w.attempts - 1 END,
        not_before = CASE r.outcome
            WHEN 'Queued' THEN now() + make_interval(secs => r.delay_s) ELSE w.not_before END,
        error = CASE WHEN {_STOPPED} THEN w.cancelled ELSE r.error END,
        error_code = CASE WHEN {_STOPPED} THEN '{OrderCancelled.code}' ELSE r.code END,
        step = CASE WHEN r.outcome = 'Completed' THEN NULL ELSE w.step END,
        held = CASE WHEN {_BACK} THEN r.held END,
        response = CASE WHEN {_STOPPED}
            THEN jsonb_build_object('ok', false, 'error', w.cancelled, 'value', NULL) ELSE r.response::jsonb END,
        lease_owner = NULL,
        lease_until = NULL,
        leader_id = CASE WHEN {_BACK} THEN NULL ELSE w.leader_id END,
        finished = CASE WHEN {_BACK} THEN NULL ELSE clock_timestamp() END,
        expires = CASE WHEN {_BACK} THEN NULL ELSE now() + make_interval(secs => {keep_s}) END
    FROM reports AS r
    WHERE w.id = r.id AND w.fence = r.fence AND w.lease_owner IS NOT NULL
    RETURNING w.id, w.key, w.unique_key, w.state
)
"""


_REPORTS = """
reports AS (
    SELECT * FROM unnest(
        $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::boolean[], $8::text[],
        $9::text[]
    ) AS r (id, fence, outcome, response, error, delay_s, counted, held, code)
)
"""

# A queue's table looks empty whenever statistics are taken, so the planner would read all waiting orders through
# their index instead of looking a few up. Said in this way the same condition cannot use that index (the check
# constraints make it the same).
_WAITING = "s.state IN ('Queued', 'Started') AND s.lease_owner IS NULL"

# Waiting clients learn of ends. Workers learn of orders that this one held up, or that are to run again.
_TOLD = f"""
(SELECT pg_notify('{DONE_CHANNEL}', CASE WHEN length(ids) < 7900 THEN ids ELSE '' END)
    FROM (SELECT string_agg(id::text, ',') AS ids FROM finished WHERE state <> 'Queued') AS ended
    WHERE ids IS NOT NULL) AS told,
(SELECT pg_notify('{QUEUED_CHANNEL}', '')::text WHERE EXISTS (
    SELECT FROM finished AS f WHERE f.state = 'Queued' OR f.key IS NOT NULL AND EXISTS (
        SELECT FROM work_order AS s WHERE s.key = f.key AND {_WAITING} OFFSET 0))) AS called
"""

FINISH = f"""
WITH {_REPORTS}, {_finished("$10::float8")}
SELECT (SELECT coalesce(array_agg(id), '{{}}') FROM finished) AS finished_ids, {_TOLD}
"""

# A worker that died takes with it whatever it held, so that says little of each order: it costs no attempt, unless
# an order was claimed so often that it may be the reason. Of a worker that lets its leases end nothing is known.
# Where there is no limit, `most` is null, and so is every comparison with it.
SWEEP = f"""
WITH reports AS (
    SELECT id, fence, 0.0::float8 AS delay_s, counted, error,
        CASE WHEN spent THEN 'Failed' ELSE 'Queued' END AS outcome,
        CASE WHEN spent
            THEN jsonb_build_object('ok', false, 'error', error, 'value', NULL)::text END AS response,
        NULL::text AS held, '{WorkerLost.code}' AS code
    FROM (
        SELECT id, fence, coalesce(counted, false) AS counted,
            counted AND attempts >= most * CASE WHEN intent IS NULL THEN 1 ELSE {IN_DOUBT} END AS spent,
            format('The worker %s stopped during attempt %s.', lease_owner, attempts) AS error
        FROM (
            SELECT o.*, lease_owner <> ALL ($3::text[]) OR fence > most * {SUSPECT} AS counted
            FROM (SELECT *, nullif(coalesce(max_attempts, $2::integer), {NO_LIMIT}) AS most FROM work_order) AS o
            WHERE state = 'Started' AND (lease_until < now() OR lease_owner = ANY ($3::text[]))
            ORDER BY lease_until LIMIT {SWEPT}
            FOR UPDATE SKIP LOCKED
        ) AS abandoned
    ) AS judged
), {_finished("$1::float8")}
SELECT (SELECT coalesce(array_agg(id), '{{}}') FROM finished) AS finished_ids, {_TOLD}
"""

# The sessions of one worker need no name but a number; if two workers shared one, the dead of the two would seem
# to live for as long as the other does, and its leases would decide.
ATTEND = f"SELECT pg_advisory_lock_shared({PRESENCE}, hashtext($1::text))"

# Locks are those of the whole server; other databases of it have workers, too.
GONE = f"""
SELECT o.owner FROM unnest($1::text[]) AS o (owner)
WHERE NOT EXISTS (SELECT FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.classid = {PRESENCE}::oid
        AND l.objid = (hashtext(o.owner)::bigint & 4294967295)::oid AND l.objsubid = 2 AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""

HOLDING = """
SELECT DISTINCT lease_owner AS owner FROM work_order WHERE state = 'Started' AND lease_owner = ANY($1::text[])
"""

# Rows that this very statement finishes no longer stand in the way; reading them first also makes sure that they
# have left Started before their successors enter it. Those that failed and have a unique key still do: this
# statement does not see yet that they have, and their successor may begin with their arguments (see _CLAIMED).
_DUE = f"""
due AS MATERIALIZED (
    SELECT w.id, w.place, w.key, w.kind, w.fence
    FROM work_order AS w
    WHERE w.state = 'Queued' AND w.not_before <= now() AND w.kind = ANY($11::text[])
        AND (w.key IS NULL OR NOT EXISTS (
            SELECT FROM work_order AS e
            WHERE e.key = w.key AND e.state IN ('Queued', 'Started')
                AND (e.state = 'Started' OR {_turn("e")} < {_turn("w")})
                AND e.id <> ALL (ARRAY(SELECT id FROM finished
                    WHERE state = 'Completed' OR state = 'Failed' AND unique_key IS NULL))))
    ORDER BY w.priority DESC, w.id
    LIMIT $12::integer
    FOR UPDATE OF w SKIP LOCKED
)
"""

_TAKEN = "taken AS (SELECT id, NULL::bigint AS leader_id, fence + 1 AS fence FROM due)"

_TAKEN_FOLDED = f"""
folded AS (
    SELECT f.id, due.id AS leader_id, f.fence
    FROM due
    JOIN unnest($15::text[], $16::integer[]) AS folding (kind, most) ON folding.kind = due.kind
    CROSS JOIN LATERAL (
        SELECT n.id, n.fence,
            bool_and(n.kind = due.kind AND n.not_before <= now() AND n.place IS NULL)
                OVER (ORDER BY coalesce(n.place, n.id), n.id) AS unbroken
        FROM (
            SELECT s.id, s.fence, s.kind, s.not_before, s.place
            FROM work_order AS s
            WHERE s.key = due.key AND {_WAITING} AND {_turn("s")} > {_turn("due")}
            ORDER BY coalesce(s.place, s.id), s.id LIMIT folding.most
        ) AS n
    ) AS f
    WHERE f.unbroken AND due.place IS NULL
),
taken AS (
    SELECT id, leader_id, 1 + max(fence) OVER (PARTITION BY coalesce(leader_id, id)) AS fence
    FROM (
        SELECT id, NULL::bigint AS leader_id, fence FROM due
        UNION ALL SELECT id, leader_id, fence FROM folded
    ) AS together
)
"""

# What a failed run leaves behind is taken at the beginning of the next one. To write it into the waiting order
# when the run fails would mean to wait for whoever is merging with that, who may in turn wait for us. One that was
# cancelled before it ever ran has not taken what was left for it, so the look goes on to those before it.
_LEFT = """
CASE WHEN w.fence = 0 AND w.merging->'keep' = 'true' THEN (
    WITH RECURSIVE left_behind AS (
        SELECT w.id AS id, w.args AS args, true AS goes_on
        UNION ALL
        SELECT p.id, work_order_merged(p.args, l.args, w.merging), p.fence = 0
        FROM left_behind AS l CROSS JOIN LATERAL (
            SELECT b.id, b.args, b.state, b.fence FROM work_order AS b
            WHERE b.unique_key = w.unique_key AND b.id < l.id ORDER BY b.id DESC LIMIT 1) AS p
        WHERE l.goes_on AND p.state = 'Failed')
    SELECT args FROM left_behind ORDER BY id LIMIT 1) ELSE w.args END
"""

_CLAIMED = f"""
claimed AS (
    UPDATE work_order AS w SET
        state = 'Started',
        args = {_LEFT},
        attempts = w.attempts + 1,
        fence = t.fence,
        leader_id = t.leader_id,
        lease_owner = $13::text,
        lease_until = clock_timestamp() + make_interval(secs => $14::float8),
        response = NULL,
        error = CASE WHEN w.held IS NOT NULL THEN w.error END, -- still so, as far as anybody knows
        error_code = CASE WHEN w.held IS NOT NULL THEN w.error_code END,
        step = NULL,
        steps = NULL,
        started = clock_timestamp()
    FROM taken AS t
    WHERE w.id = t.id AND w.lease_owner IS NULL AND w.finished IS NULL -- Queued, looked up by id
    RETURNING {", ".join(f"w.{name}" for name in COLUMN_NAMES)}
)
"""


def _exchange(taken: str) -> str:
    return f"""
WITH {_REPORTS}, {_finished("$10::float8")}, {_DUE}, {taken}, {_CLAIMED}
SELECT (SELECT coalesce(array_agg(id), '{{}}') FROM finished) AS finished_ids, {_TOLD}, now() AS looked, claimed.*
FROM (VALUES (1)) AS once LEFT JOIN claimed ON true
"""


EXCHANGE = _exchange(_TAKEN)
"""Write the ends of runs and claim the next orders, in one statement."""
EXCHANGE_FOLDING = _exchange(_TAKEN_FOLDED)
"""The same, with the orders of the same key and kind that follow a claimed one directly."""

HOLD = """
SELECT id FROM work_order WHERE id = ANY($1::bigint[]) AND fence = $2 AND state = 'Started'
ORDER BY id FOR UPDATE
"""

HOLD_ALL = """
SELECT id, fence FROM work_order WHERE id = ANY($1::bigint[]) AND state = 'Started' ORDER BY id FOR UPDATE
"""

CHECK = "SELECT id FROM work_order WHERE id = ANY($1::bigint[]) AND fence = $2 AND state = 'Started'"

# A row locked by its own completion is not waited for; whoever holds it has not lost it.
RENEW = """
WITH held AS (
    SELECT w.id FROM work_order AS w JOIN unnest($1::bigint[], $2::bigint[]) AS h (id, fence)
        ON w.id = h.id AND w.fence = h.fence
    WHERE w.state = 'Started'
), free AS (
    SELECT w.id FROM work_order AS w WHERE w.id IN (SELECT id FROM held) FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE work_order AS w SET lease_until = clock_timestamp() + make_interval(secs => $3::float8)
    FROM free WHERE w.id = free.id AND w.state = 'Started' RETURNING w.id
)
SELECT id FROM held
"""

DISOWN = """
UPDATE work_order SET state = 'Queued', attempts = attempts - 1,
    lease_owner = NULL, lease_until = NULL, leader_id = NULL
WHERE state = 'Started' AND lease_owner = $1 AND id <> ALL ($2::bigint[])
RETURNING id
"""

# Some of those that wait for the same thing may try: one of them got through.
RELEASE = f"""
WITH freed AS (
    UPDATE work_order AS w SET not_before = now()
    WHERE w.id IN (
        SELECT o.id FROM work_order AS o
        WHERE o.held = $1 AND o.state = 'Queued' AND o.not_before > now()
        ORDER BY o.id LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING w.id
)
SELECT (SELECT count(*) FROM freed) AS freed,
    (SELECT pg_notify('{QUEUED_CHANNEL}', '')::text WHERE EXISTS (SELECT FROM freed)) AS called
"""

NEXT_DUE = """
SELECT extract(epoch FROM least(
    (SELECT min(not_before) FROM work_order
        WHERE state = 'Queued' AND not_before > $2::timestamptz AND kind = ANY($1::text[])),
    (SELECT min(lease_until) FROM work_order WHERE state = 'Started')) - now())::float8
"""

# What merges does the same whenever it runs. The state of a later order is looked at while the key is ours.
LATER = f"""
SELECT l.id, l.state FROM work_order AS l
WHERE l.key = $1 AND l.id > $2 AND {_turn("l")} > ($2, $3) AND l.unique_key IS NULL
    AND (l.state IN ('Started', 'Completed') OR l.state = 'Queued' AND l.intent IS NOT NULL)
ORDER BY l.id LIMIT 1
"""

RETRYING = """
SELECT id FROM work_order
WHERE key = $1 AND state IN ('Queued', 'Started') AND coalesce(place, id) = $2 AND id > $3
ORDER BY id LIMIT 1
"""

OUTCOMES = """
SELECT id, state, response, error_code FROM work_order
WHERE id = ANY($1::bigint[]) AND state IN ('Completed', 'Failed')
"""

ENDED = "SELECT id FROM work_order WHERE id = ANY($1::bigint[]) AND state IN ('Completed', 'Failed')"

PURGE = """
DELETE FROM work_order WHERE id IN (
    SELECT id FROM work_order WHERE state IN ('Completed', 'Failed') AND expires < now()
    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""

UNFINISHED = f"""
SELECT {COLUMNS} FROM work_order
WHERE key = ANY($2::text[]) AND state IN ('Queued', 'Started') AND kind = $1
ORDER BY id
"""

# The last look at the fence before a step, and at whether somebody cancelled the order meanwhile.
STEP = """
UPDATE work_order SET step = $3::text, steps = coalesce(steps, '[]') || $4::text::jsonb
WHERE id = $1 AND fence = $2 AND state = 'Started'
RETURNING CASE WHEN intent IS NULL THEN cancelled END AS cancelled
"""
