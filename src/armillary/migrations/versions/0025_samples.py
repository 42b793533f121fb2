"""Create the log of telemetry samples, its topic in the feed, and the scope of those who may write to it.

Revision ID: 0025
Revises: 0024
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# Payloads are `json`, not `jsonb`: that would turn the float 1e5 into an integer.
TABLE = """
CREATE TABLE bus_sample (
    id bigint CONSTRAINT bus_sample_pk PRIMARY KEY,
    source text NOT NULL,
    topic text NOT NULL,
    epoch text NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL CONSTRAINT bus_sample_kind_known CHECK (kind IN ('event', 'telemetry')),
    t_event bigint NOT NULL,
    t_received bigint NOT NULL,
    expires bigint,
    assumed boolean NOT NULL,
    skewed boolean NOT NULL,
    payload json NOT NULL,
    odd json,
    CONSTRAINT bus_sample_once UNIQUE (source, epoch, topic, seq)
) WITH (autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000);
CREATE INDEX bus_sample_in_force ON bus_sample (source, topic, t_event, seq);
INSERT INTO feed_topic (id, name) SELECT max(id) + 1, 'samples' FROM feed_topic;
"""

# Offsets are made of the number that the feed orders this transaction by. A transaction that comes again goes on
# behind its own samples; one of a restored server may find samples that bear its number, and goes on behind these.
#
# The answer is the offset of the first sample, then the offsets of those that were not there yet.
PUBLISH = """
CREATE FUNCTION bus_publish(
    sources text[], topics text[], epochs text[], seqs bigint[], kinds text[], events bigint[], ends bigint[],
    arrivals bigint[], skew bigint, payloads text[], odds text[]
) RETURNS bigint[] LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    own bigint := public.feed_draw((SELECT t.id FROM public.feed_topic AS t WHERE t.name = 'samples'));
    first bigint;
    stored bigint[];
BEGIN
    SELECT coalesce(max(s.id) + 1, own << 16) INTO first FROM public.bus_sample AS s
    WHERE s.id >= own << 16 AND s.id < (own + 1) << 16;
    IF first + cardinality(sources) > (own + 1) << 16 THEN
        RAISE EXCEPTION 'a transaction stores at most 65536 samples';
    END IF;
    WITH new AS (
        INSERT INTO public.bus_sample (
            id, source, topic, epoch, seq, kind, t_event, t_received, expires, assumed, skewed, payload, odd)
        SELECT first + n.place - 1, n.source, n.topic, n.epoch, n.seq, n.kind, coalesce(n.event, n.arrival),
            n.arrival, n.expires, n.event IS NULL,
            -- As numbers without bounds: the difference of two instants may have none.
            coalesce(abs(n.event::numeric - n.arrival) > skew, false), n.payload::json, n.odd::json
        FROM unnest(sources, topics, epochs, seqs, kinds, events, ends, arrivals, payloads, odds)
            WITH ORDINALITY AS n (
                source, topic, epoch, seq, kind, event, expires, arrival, payload, odd, place)
        -- In one order, so that two who send the same samples wait for each other in turn.
        ORDER BY n.source, n.epoch, n.topic, n.seq, n.place
        ON CONFLICT ON CONSTRAINT bus_sample_once DO NOTHING
        RETURNING id
    )
    SELECT array_agg(id ORDER BY id) INTO stored FROM new;
    IF stored IS NOT NULL THEN
        PERFORM public.feed_append('samples', ARRAY[own::text], ARRAY[jsonb_build_object(
            'first', stored[1], 'last', stored[cardinality(stored)])]);
    END IF;
    RETURN first || stored;
END $$
"""

# In a function for its settings: the table is small when statistics are taken, and large when plans matter.
ANSWER = """
CREATE FUNCTION bus_answer(
    sources text[], topics text[], starts bigint[], stops bigint[], paths text[], wanted text[],
    mosts integer[]
) RETURNS TABLE (question bigint, sample bus_sample) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT q.place, found.sample
    FROM unnest(sources, topics, starts, stops, paths, wanted, mosts) WITH ORDINALITY
        AS q (source, topic, start, stop, path, value, most, place)
    CROSS JOIN LATERAL (
        (
            SELECT s AS sample, s.t_event, s.seq FROM public.bus_sample AS s
            WHERE q.start IS NULL AND s.source = q.source AND s.topic = q.topic AND s.t_event <= q.stop
                AND (q.path IS NULL OR s.payload #>> q.path::text[] = q.value)
            ORDER BY s.t_event DESC, s.seq DESC LIMIT 1
        ) UNION ALL (
            -- In force at the start; one of that very instant is among the others.
            SELECT f.sample, f.t_event, f.seq FROM (
                SELECT s AS sample, s.t_event, s.seq FROM public.bus_sample AS s
                WHERE s.source = q.source AND s.topic = q.topic AND s.t_event <= q.start
                ORDER BY s.t_event DESC, s.seq DESC LIMIT 1
            ) AS f WHERE f.t_event < q.start
        ) UNION ALL (
            SELECT s AS sample, s.t_event, s.seq FROM public.bus_sample AS s
            WHERE s.source = q.source AND s.topic = q.topic AND s.t_event >= q.start AND s.t_event <= q.stop
            ORDER BY s.t_event, s.seq LIMIT q.most
        )
    ) AS found
    ORDER BY q.place, found.t_event, found.seq;
END $$
"""

SCOPES = r"""
ALTER TABLE token DROP CONSTRAINT token_scopes_known;
ALTER TABLE token ADD CONSTRAINT token_scopes_known CHECK (array_to_string(scopes, E'\n', '?')
    ~ ('^((read|upload|edit|config|note|room|site|pipe(\.(produce|consume|admin))?|operator|admin)'
        '(:[^\n]+)?(\n|$))*$'));
"""

# Earlier releases have no name for it, and none that means as little.
SCOPES_BACK = r"""
UPDATE token SET scopes = ARRAY(
    SELECT scope FROM unnest(scopes) AS scope WHERE scope !~ '^operator(:|$)'
);
ALTER TABLE token DROP CONSTRAINT token_scopes_known;
ALTER TABLE token ADD CONSTRAINT token_scopes_known CHECK (array_to_string(scopes, E'\n', '?')
    ~ '^((read|upload|edit|config|note|room|site|pipe(\.(produce|consume|admin))?|admin)(:[^\n]+)?(\n|$))*$');
"""

DOWNGRADE = """
DROP FUNCTION bus_publish, bus_answer;
DROP TABLE bus_sample;
DELETE FROM feed_consumer USING feed_topic AS t WHERE t.id = topic AND t.name = 'samples';
DELETE FROM feed_entry USING feed_topic AS t WHERE t.id = topic AND t.name = 'samples';
DELETE FROM feed_topic WHERE name = 'samples';
"""


def upgrade() -> None:
    """Create table and scope; samples are stored by a function alone, which tells of them, too."""
    execute(TABLE)
    execute(SCOPES)
    for function in (PUBLISH, ANSWER):
        op.execute(function)
    op.execute("REVOKE EXECUTE ON FUNCTION bus_publish FROM PUBLIC")
    for role in (WEB, WORKER):
        grant(role, "SELECT", "bus_sample")
        op.execute(f"GRANT EXECUTE ON FUNCTION bus_publish, bus_answer TO {role}")
    grant(WORKER, "DELETE", "bus_sample")


def downgrade() -> None:
    """Lose the samples; tokens lose what earlier releases cannot check."""
    execute(SCOPES_BACK)
    execute(DOWNGRADE)
