"""Give each run of an order a row of its own, with its steps and the code of its error; allow endless attempts.

What is submitted while an order of its unique key runs waits as an order of its own from now on, and so does
not hide how the run before it ended. Orders of a unique key without a key get that as their key, which is what
keeps two of them from running at once. `max_attempts` 0 says that there is no limit; 1000000 used to.
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE work_order
    ADD COLUMN error_code text, ADD COLUMN step text, ADD COLUMN steps jsonb, ADD COLUMN cancelled text,
    ADD COLUMN merging jsonb;
ALTER TABLE work_order DROP CONSTRAINT work_order_max_attempts_positive;
ALTER TABLE work_order ADD CONSTRAINT work_order_max_attempts_known CHECK (max_attempts >= 0);
UPDATE work_order SET max_attempts = 0 WHERE max_attempts = 1000000 AND state IN ('Queued', 'Started');
"""

RUNS = """
UPDATE work_order SET key = unique_key
WHERE key IS NULL AND unique_key IS NOT NULL AND state IN ('Queued', 'Started');
DROP INDEX work_order_one_waiting_per_unique_key;
CREATE UNIQUE INDEX work_order_one_new_per_unique_key ON work_order (unique_key)
    WHERE state = 'Queued' AND fence = 0 AND unique_key IS NOT NULL;
CREATE INDEX work_order_of_unique_key ON work_order (unique_key, id) WHERE unique_key IS NOT NULL;
INSERT INTO work_order (
    kind, key, args, priority, max_attempts, unique_key, actor, batch, response_required, revision)
SELECT kind, key, coalesce(next_args, '{}'), priority, max_attempts, unique_key, actor, batch,
    response_required, revision
FROM work_order WHERE state = 'Started' AND unique_key IS NOT NULL AND revision > claimed_revision
ORDER BY id;
UPDATE work_order SET revision = claimed_revision WHERE state = 'Started' AND revision > claimed_revision;
ALTER TABLE work_order DROP COLUMN next_args, DROP COLUMN claimed_revision;
"""

# One row per kind of order that is submitted on time, so that among many workers one submits it.
PERIODS = """
CREATE TABLE work_period (
    kind text CONSTRAINT work_period_pk PRIMARY KEY,
    due timestamptz NOT NULL
);
CREATE TABLE work_web_kind (kind text CONSTRAINT work_web_kind_pk PRIMARY KEY);
INSERT INTO work_web_kind (kind) VALUES ('ingest'), ('retry_exports');
"""

# `merging` names arguments that stay true once they are ("sticky"), and those whose null says nothing
# ("optional").
MERGED = """
CREATE FUNCTION work_order_merged(former jsonb, later jsonb, merging jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
AS $$
SELECT CASE WHEN merging IS NULL THEN former || later ELSE former || (
    SELECT coalesce(jsonb_object_agg(l.key, CASE
        WHEN coalesce(merging->'sticky' ? l.key, false) AND former->l.key = 'true' THEN former->l.key
        ELSE l.value END), '{}')
    FROM jsonb_each(later) AS l
    WHERE NOT (coalesce(merging->'optional' ? l.key, false) AND l.value = 'null')) END
$$
"""

# The latest order of a unique key decides. One that waits takes the new arguments, whether it has never run
# (which is what the unique index guards) or is to be tried again; behind one that runs, or has ended, comes a new
# one. The settings are for a queue whose table was empty when its statistics were taken: the plan is kept, and
# must go through the indexes.
MERGE = """
CREATE FUNCTION work_order_merge(orders jsonb) RETURNS TABLE (id bigint, unique_key text)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
RETURN QUERY
WITH known AS MATERIALIZED (
    SELECT o->>'kind' AS kind, coalesce(o->>'key', o->>'unique_key') AS key, o->'args' AS args,
        (o->>'priority')::integer AS priority, coalesce((o->>'not_before')::timestamptz, now()) AS not_before,
        (o->>'max_attempts')::integer AS max_attempts, o->>'unique_key' AS unique_key,
        (o->>'request_id')::uuid AS request_id, (o->>'item_index')::integer AS item_index, o->>'actor' AS actor,
        o->>'batch' AS batch, (o->>'response_required')::boolean AS response_required,
        nullif(o->'merging', 'null') AS merging, list.place,
        last.id AS last_id, last.revision AS last_revision,
        coalesce(last.state = 'Queued' AND last.fence > 0, false) AS again
    FROM jsonb_array_elements(orders) WITH ORDINALITY AS list (o, place)
    LEFT JOIN LATERAL (
        SELECT w.id, w.state, w.fence, w.revision FROM public.work_order AS w
        WHERE w.unique_key = o->>'unique_key' ORDER BY w.id DESC LIMIT 1
    ) AS last ON true
), waiting AS MATERIALIZED (
    SELECT w.id FROM known JOIN public.work_order AS w ON w.id = known.last_id
    WHERE known.again AND w.state = 'Queued'
    ORDER BY w.id FOR UPDATE OF w
), joined AS (
    UPDATE public.work_order AS w SET
        revision = w.revision + 1,
        args = work_order_merged(w.args, known.args, known.merging),
        merging = known.merging,
        priority = greatest(w.priority, known.priority),
        not_before = least(w.not_before, known.not_before),
        response_required = w.response_required OR known.response_required
    FROM known
    WHERE w.id = known.last_id AND w.id IN (SELECT waiting.id FROM waiting)
    RETURNING w.id, w.unique_key
), added AS (
    INSERT INTO public.work_order AS w (
        kind, key, args, priority, not_before, max_attempts, unique_key, request_id, item_index, actor, batch,
        response_required, merging, revision
    )
    SELECT known.kind, known.key, known.args, known.priority,
        known.not_before, known.max_attempts, known.unique_key, known.request_id,
        known.item_index, known.actor, known.batch, known.response_required, known.merging,
        coalesce(known.last_revision, 0) + 1
    FROM known WHERE NOT EXISTS (SELECT FROM joined WHERE joined.unique_key = known.unique_key)
    ORDER BY known.place
    ON CONFLICT (unique_key) WHERE state = 'Queued' AND fence = 0 AND unique_key IS NOT NULL
    DO UPDATE SET
        revision = w.revision + 1,
        args = work_order_merged(w.args, EXCLUDED.args, EXCLUDED.merging),
        merging = EXCLUDED.merging,
        priority = greatest(w.priority, EXCLUDED.priority),
        not_before = least(w.not_before, EXCLUDED.not_before),
        response_required = w.response_required OR EXCLUDED.response_required
    RETURNING w.id, w.unique_key
)
SELECT joined.id, joined.unique_key FROM joined UNION ALL SELECT added.id, added.unique_key FROM added;
END $$
"""

# The web role may change no order. What it submits of these kinds merges all the same, by the rights of the owner;
# the prefix keeps it from merging with an order of another kind.
MERGE_OF_KIND = """
CREATE FUNCTION work_order_merge(kind text, orders jsonb) RETURNS TABLE (id bigint, unique_key text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM public.work_web_kind AS k WHERE k.kind = $1) THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('permission denied to merge orders of the kind %s', $1);
    END IF;
    IF EXISTS (SELECT FROM jsonb_array_elements(orders) AS list (o)
        WHERE o->>'kind' IS DISTINCT FROM $1 OR NOT coalesce(starts_with(o->>'unique_key', $1 || ':'), false))
    THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('permission denied to merge with orders that are not of the kind %s', $1);
    END IF;
    RETURN QUERY SELECT m.id, m.unique_key FROM public.work_order_merge(orders) AS m;
END $$
"""

NOTE = """
CREATE OR REPLACE FUNCTION export_note() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.export_destination WHERE active) THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.work_order (kind, args, actor, max_attempts)
    SELECT 'plan_exports', jsonb_build_object('files', jsonb_agg(jsonb_build_object(
        'name', file.name, 'path', r.path, 'batch', w.batch))), 'armillary', {endless}
    FROM recorded AS r JOIN public.file ON file.id = r.file_id
    LEFT JOIN public.work_order AS w ON w.state = 'Started' AND w.leader_id IS NULL
        AND w.key = r.root_id || ':' || CASE r.path WHEN '' THEN '' ELSE r.path || '/' END || r.filename
    WHERE r.present AND r.canonical
    HAVING count(*) > 0;
    PERFORM pg_notify('work_queued', '');
    RETURN NULL;
END $$
"""

OLD_COLUMNS = """
ALTER TABLE work_order DROP CONSTRAINT work_order_max_attempts_known;
UPDATE work_order SET max_attempts = 1000000 WHERE max_attempts = 0;
ALTER TABLE work_order
    ADD CONSTRAINT work_order_max_attempts_positive CHECK (max_attempts > 0),
    DROP COLUMN error_code, DROP COLUMN step, DROP COLUMN steps, DROP COLUMN cancelled, DROP COLUMN merging,
    ADD COLUMN next_args jsonb, ADD COLUMN claimed_revision integer NOT NULL DEFAULT 0;
"""

# What waits behind a run of its unique key becomes a part of that run's row again.
OLD_RUNS = """
UPDATE work_order SET claimed_revision = revision WHERE state <> 'Queued';
UPDATE work_order AS w SET revision = n.revision,
    args = CASE w.state WHEN 'Queued' THEN w.args || n.args ELSE w.args END,
    next_args = CASE w.state WHEN 'Started' THEN n.args END
FROM work_order AS n
WHERE w.unique_key = n.unique_key AND w.id < n.id AND w.state IN ('Queued', 'Started') AND n.state = 'Queued';
DELETE FROM work_order AS n USING work_order AS w
WHERE w.unique_key = n.unique_key AND w.id < n.id AND w.state IN ('Queued', 'Started') AND n.state = 'Queued';
DROP INDEX work_order_one_new_per_unique_key, work_order_of_unique_key;
CREATE UNIQUE INDEX work_order_one_waiting_per_unique_key ON work_order (unique_key)
    WHERE state IN ('Queued', 'Started') AND unique_key IS NOT NULL;
"""

OLD_MERGE = """
CREATE FUNCTION work_order_merge(orders jsonb) RETURNS TABLE (id bigint, unique_key text)
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp
AS $$
    INSERT INTO public.work_order AS w (
        kind, key, args, priority, not_before, max_attempts, unique_key,
        request_id, item_index, actor, batch, response_required
    )
    SELECT o->>'kind', o->>'key', o->'args', (o->>'priority')::integer,
        coalesce((o->>'not_before')::timestamptz, now()), (o->>'max_attempts')::integer, o->>'unique_key',
        (o->>'request_id')::uuid, (o->>'item_index')::integer, o->>'actor', o->>'batch',
        (o->>'response_required')::boolean
    FROM jsonb_array_elements(orders) WITH ORDINALITY AS list (o, place)
    ORDER BY place
    ON CONFLICT (unique_key) WHERE state IN ('Queued', 'Started') AND unique_key IS NOT NULL
    DO UPDATE SET
        revision = w.revision + 1,
        args = CASE w.state WHEN 'Queued' THEN w.args || EXCLUDED.args ELSE w.args END,
        next_args = CASE w.state WHEN 'Started' THEN coalesce(w.next_args, '{}') || EXCLUDED.args END,
        priority = greatest(w.priority, EXCLUDED.priority),
        not_before = least(w.not_before, EXCLUDED.not_before),
        response_required = w.response_required OR EXCLUDED.response_required
    RETURNING w.id, w.unique_key
$$
"""

PRIVATE = """
REVOKE ALL ON FUNCTION work_order_merge(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION work_order_merge(jsonb) TO armillary_worker;
"""


def upgrade() -> None:
    """Add the columns, let a run be a row, and let the web merge what it may."""
    execute(COLUMNS)
    execute(RUNS)
    execute(PERIODS)
    op.execute("DROP FUNCTION work_order_merge(jsonb)")
    op.execute(MERGED)
    op.execute(MERGE)
    op.execute(MERGE_OF_KIND)
    execute(PRIVATE)
    op.execute("REVOKE ALL ON FUNCTION work_order_merge(text, jsonb) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION work_order_merge(text, jsonb) TO {WORKER}, {WEB}")
    op.execute(NOTE.format(endless=0))
    # What it submits by itself merges with nothing.
    op.execute(f"REVOKE INSERT (unique_key) ON work_order FROM {WEB}")
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "work_period")
    for role in (WORKER, WEB):
        grant(role, "SELECT", "work_web_kind")
    grant(WEB, "SELECT", "work_period")


def downgrade() -> None:
    """Drop them; errors lose their codes, and runs their steps."""
    op.execute("DROP FUNCTION work_order_merge(text, jsonb)")
    op.execute("DROP FUNCTION work_order_merge(jsonb)")
    op.execute("DROP FUNCTION work_order_merged(jsonb, jsonb, jsonb)")
    execute("DROP TABLE work_period, work_web_kind;\n")
    execute(OLD_COLUMNS)
    execute(OLD_RUNS)
    op.execute(OLD_MERGE)
    execute(PRIVATE)
    op.execute(NOTE.format(endless=1000000))
    op.execute(f"GRANT INSERT (unique_key) ON work_order TO {WEB}")
