"""Create the queues of items that sites and their processing machines exchange, and what is known of the machines.

An item waits, is delayed, is leased, or is a dead letter; which of these follows from ``claim``, ``free_at`` and
``dead_at`` and the present instant, so that a lease that ends needs nobody to write that down.

Revision ID: 0022
Revises: 0019
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# Items do not reference their queue: whoever adds one holds the lock on the row of the queue until its commit, and
# whoever deletes a queue takes that lock first. A foreign key would look each item up once more.
TABLES = """
CREATE TABLE pipe_queue (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pipe_queue_pk PRIMARY KEY,
    name text NOT NULL CONSTRAINT pipe_queue_name_once UNIQUE,
    created timestamptz NOT NULL DEFAULT now(),
    dedupe_window_s float8 NOT NULL DEFAULT 0
        CONSTRAINT pipe_queue_dedupe_window_not_negative CHECK (dedupe_window_s >= 0),
    max_attempts integer NOT NULL DEFAULT 5 CONSTRAINT pipe_queue_max_attempts_positive CHECK (max_attempts > 0),
    priorities jsonb NOT NULL DEFAULT '[]'
        CONSTRAINT pipe_queue_priorities_list CHECK (jsonb_typeof(priorities) = 'array'),
    watched_until timestamptz
);
CREATE TABLE pipe_item (
    seq bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pipe_item_pk PRIMARY KEY,
    queue_id bigint NOT NULL,
    id text NOT NULL,
    sender text NOT NULL,
    payload text NOT NULL,
    created_ms bigint NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    attempt integer NOT NULL DEFAULT 0,
    claim uuid,
    worker text,
    free_at timestamptz,
    dead_at timestamptz,
    reason text,
    CONSTRAINT pipe_item_claim_has_lease CHECK (claim IS NULL OR free_at IS NOT NULL),
    CONSTRAINT pipe_item_dead_has_no_claim CHECK (dead_at IS NULL OR claim IS NULL)
) WITH (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000
);
CREATE INDEX pipe_item_turn ON pipe_item (queue_id, priority DESC, seq) WHERE dead_at IS NULL;
CREATE INDEX pipe_item_leased ON pipe_item (free_at) WHERE claim IS NOT NULL;
CREATE INDEX pipe_item_dead ON pipe_item (queue_id, seq) WHERE dead_at IS NOT NULL;
CREATE TABLE pipe_key (
    queue_id bigint NOT NULL,
    key text NOT NULL,
    until timestamptz NOT NULL,
    id text NOT NULL,
    sender text NOT NULL,
    payload text NOT NULL,
    created_ms bigint NOT NULL,
    CONSTRAINT pipe_key_pk PRIMARY KEY (queue_id, key)
);
CREATE INDEX pipe_key_by_end ON pipe_key (until);
CREATE TABLE pipe_acknowledged (
    claim uuid CONSTRAINT pipe_acknowledged_pk PRIMARY KEY,
    queue_id bigint NOT NULL,
    acknowledged timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE pipe_writer (
    id uuid CONSTRAINT pipe_writer_pk PRIMARY KEY,
    batch bigint NOT NULL,
    used timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE TABLE pipe_machine (
    name text CONSTRAINT pipe_machine_pk PRIMARY KEY,
    status text NOT NULL,
    details text NOT NULL,
    updated_ms bigint NOT NULL
);
"""

PRIORITY = """
CREATE FUNCTION pipe_priority(rules jsonb, of_sender text, of_request text) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT coalesce((
        SELECT (r.rule->>'priority')::integer FROM jsonb_array_elements(rules) WITH ORDINALITY AS r (rule, place)
        WHERE coalesce(r.rule->>'sender' = of_sender, r.rule->>'sender' IS NULL)
            AND coalesce(r.rule->>'request' = of_request, r.rule->>'request' IS NULL)
        ORDER BY r.place LIMIT 1), 0)
$$
"""

# A sequence alone gives no order that consumers can rely on: whoever draws a lower number may commit later, and a
# consumer would have had the higher one meanwhile. So numbers of a queue are drawn under the lock on its row,
# which is held until the commit: they become visible in their order. Statements after the one that locks see all
# that was committed by those who held the lock before, as each statement of a function has a snapshot of its own.
#
# The answer has a row for each item that was not stored: `missing` if there is no such queue, else the item that
# was stored in its place before. The arrays are plain: those of a queue's clients are always a few dozen.
ENQUEUE = """
CREATE FUNCTION pipe_enqueue(
    writer uuid, number bigint, names text[], ids text[], times bigint[], senders text[], payloads text[],
    requests text[], keys text[], digests text[], keep_s float8, make boolean
) RETURNS TABLE (place bigint, missing boolean, id text, sender text, payload text, created_ms bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    locked bigint[];
    watched bigint[];
    special boolean;
    one record;
    former record;
BEGIN
    IF make THEN
        INSERT INTO public.pipe_queue AS q (name)
        SELECT DISTINCT n.name FROM unnest(names) AS n (name)
        WHERE NOT EXISTS (SELECT FROM public.pipe_queue AS e WHERE e.name = n.name) ORDER BY n.name
        ON CONFLICT DO NOTHING;
    END IF;
    SELECT array_agg(l.id), array_agg(l.id) FILTER (WHERE l.watched_until > clock_timestamp()),
        coalesce(bool_or(l.dedupe_window_s > 0), false)
    INTO locked, watched, special
    FROM (
        -- In one order, so that those who lock several wait for each other in turn.
        SELECT q.id, q.watched_until, q.dedupe_window_s FROM public.pipe_queue AS q
        WHERE q.name = ANY (names) ORDER BY q.id FOR NO KEY UPDATE
    ) AS l;
    IF locked IS NOT NULL THEN
        INSERT INTO public.pipe_writer AS w (id, batch) VALUES (writer, number)
        ON CONFLICT (id) DO UPDATE SET batch = EXCLUDED.batch, used = now();
        INSERT INTO public.pipe_item (queue_id, id, sender, payload, created_ms, priority)
        SELECT q.id, n.id, n.sender, n.payload, n.created_ms,
            CASE WHEN q.priorities = '[]' THEN 0
                ELSE public.pipe_priority(q.priorities, n.sender, n.request) END
        FROM unnest(names, ids, times, senders, payloads, requests, keys) WITH ORDINALITY
            AS n (name, id, created_ms, sender, payload, request, key, place)
        JOIN public.pipe_queue AS q ON q.name = n.name AND q.id = ANY (locked)
        WHERE n.key IS NULL AND q.dedupe_window_s = 0
        ORDER BY n.place;
    END IF;
    IF special OR cardinality(array_remove(keys, NULL)) > 0 THEN
        -- What may be there already is looked at one by one: each may be what a later one repeats.
        FOR one IN
            SELECT n.*, q.id AS queue_id, q.dedupe_window_s, q.priorities,
                'key:' || n.key AS named,
                CASE WHEN q.dedupe_window_s > 0 THEN 'same:' || n.digest END AS equal
            FROM unnest(names, ids, times, senders, payloads, requests, keys, digests) WITH ORDINALITY
                AS n (name, id, created_ms, sender, payload, request, key, digest, place)
            JOIN public.pipe_queue AS q ON q.name = n.name AND q.id = ANY (locked)
            WHERE n.key IS NOT NULL OR q.dedupe_window_s > 0
            ORDER BY n.place
        LOOP
            SELECT k.* INTO former FROM public.pipe_key AS k
            WHERE k.queue_id = one.queue_id AND k.key IN (one.named, one.equal) AND k.until > now()
            ORDER BY k.key LIMIT 1;
            IF FOUND THEN
                place := one.place; missing := false;
                id := former.id; sender := former.sender;
                payload := former.payload; created_ms := former.created_ms;
                RETURN NEXT;
            ELSE
                INSERT INTO public.pipe_item (queue_id, id, sender, payload, created_ms, priority)
                VALUES (one.queue_id, one.id, one.sender, one.payload, one.created_ms,
                    public.pipe_priority(one.priorities, one.sender, one.request));
                former := ROW(one.queue_id, NULL::text, NULL::timestamptz, one.id, one.sender, one.payload,
                    one.created_ms)::public.pipe_key;
            END IF;
            INSERT INTO public.pipe_key AS k (queue_id, key, until, id, sender, payload, created_ms)
            SELECT one.queue_id, n.key, now() + make_interval(secs => n.keep_s),
                former.id, former.sender, former.payload, former.created_ms
            FROM (VALUES (one.named, keep_s), (one.equal, one.dedupe_window_s)) AS n (key, keep_s)
            WHERE n.key IS NOT NULL
            ON CONFLICT (queue_id, key) DO UPDATE SET until = EXCLUDED.until, id = EXCLUDED.id,
                sender = EXCLUDED.sender, payload = EXCLUDED.payload, created_ms = EXCLUDED.created_ms
            WHERE k.until <= now();
        END LOOP;
    END IF;
    PERFORM pg_notify('pipe_item', w.id::text) FROM unnest(watched) AS w (id);
    RETURN QUERY
        SELECT n.place, true, NULL::text, NULL::text, NULL::text, NULL::bigint
        FROM unnest(names) WITH ORDINALITY AS n (name, place)
        WHERE NOT EXISTS (
            SELECT FROM public.pipe_queue AS q WHERE q.name = n.name AND q.id = ANY (locked));
END $$
"""

TELL = """
CREATE FUNCTION pipe_queue_tell() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('pipe_queue', '');
    RETURN NULL;
END $$
"""

TRIGGER = """
CREATE TRIGGER pipe_queue_tell AFTER INSERT ON pipe_queue
    FOR EACH STATEMENT EXECUTE FUNCTION pipe_queue_tell();
"""

_ENQUEUE = (
    "pipe_enqueue(uuid, bigint, text[], text[], bigint[], text[], text[], text[], text[], text[], float8,"
    " boolean)"
)
ALL = ("pipe_queue", "pipe_item", "pipe_key", "pipe_acknowledged", "pipe_writer", "pipe_machine")


def upgrade() -> None:
    """Create tables and functions; the web process does all work of the queues itself."""
    execute(TABLES)
    for function in (PRIORITY, ENQUEUE, TELL):
        op.execute(function)
    execute(TRIGGER)
    for role in (WEB, WORKER):
        grant(role, "SELECT, INSERT, UPDATE, DELETE", *ALL)
        for function in ("pipe_priority(jsonb, text, text)", _ENQUEUE):
            op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")


def downgrade() -> None:
    """Drop them, with all items."""
    op.execute(f"DROP FUNCTION {_ENQUEUE}")
    op.execute("DROP FUNCTION pipe_priority(jsonb, text, text)")
    op.execute(f"DROP TABLE {', '.join(ALL)}")
    op.execute("DROP FUNCTION pipe_queue_tell()")
