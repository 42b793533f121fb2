"""Make the feed of changes the first topic of a log in which each topic settles by itself.

What was the id of a transaction is a number now, so that cursors of clients stay valid; the sequence of numbers
goes on above all of them. `armillary.base.feed` says why nothing can be added behind a reader.
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# A lock bears the topic in its high 16 bits, and a number in the 48 below.
TABLES = """
CREATE TABLE feed_topic (
    id smallint CONSTRAINT feed_topic_pk PRIMARY KEY
        CONSTRAINT feed_topic_id_fits_locks CHECK (id BETWEEN 1 AND 255),
    name text NOT NULL CONSTRAINT feed_topic_name_once UNIQUE,
    horizon_generation integer NOT NULL DEFAULT 0,
    horizon_number bigint NOT NULL DEFAULT 0,
    horizon_id bigint NOT NULL DEFAULT 0
);
CREATE TABLE feed_entry (
    topic smallint NOT NULL,
    generation integer NOT NULL,
    number bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    noted timestamptz NOT NULL DEFAULT now(),
    key text NOT NULL,
    payload jsonb NOT NULL CONSTRAINT feed_entry_payload_object CHECK (jsonb_typeof(payload) = 'object')
);
CREATE TABLE feed_consumer (
    topic smallint NOT NULL CONSTRAINT feed_consumer_of_topic REFERENCES feed_topic,
    name text NOT NULL,
    generation integer NOT NULL,
    number bigint NOT NULL,
    id bigint NOT NULL,
    registered timestamptz NOT NULL DEFAULT now(),
    seen timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT feed_consumer_pk PRIMARY KEY (topic, name)
);
CREATE SEQUENCE feed_number AS bigint MAXVALUE 281474976710655 NO CYCLE CACHE 1;
ALTER TABLE change_generation RENAME TO feed_generation;
ALTER TABLE feed_generation RENAME CONSTRAINT change_generation_pk TO feed_generation_pk;
"""

# The sequence counts as called from the beginning: a number that is drawn is higher than the last one. As long as
# nothing is known of the table, what is moved would be sorted whole for each page.
MOVE = """
INSERT INTO feed_topic (id, name) VALUES (1, 'versions');
UPDATE feed_topic SET horizon_generation = h.generation, horizon_number = h.xid::text::bigint, horizon_id = h.id
FROM change_horizon AS h;
INSERT INTO feed_entry (topic, generation, number, id, xid, noted, key, payload) OVERRIDING SYSTEM VALUE
SELECT 1, c.generation, c.xid::text::bigint, c.id, c.xid, c.noted, c.version_id::text,
    jsonb_build_object('kind', c.kind, 'file', c.file_id, 'present', c.present, 'canonical', c.canonical)
FROM change AS c ORDER BY c.generation, c.xid, c.id;
ALTER TABLE feed_entry ADD CONSTRAINT feed_entry_pk PRIMARY KEY (topic, generation, number, id);
ANALYZE feed_entry;
SELECT setval('feed_entry_id_seq', s.last_value, s.is_called) FROM change_id_seq AS s;
SELECT setval('feed_number', greatest(
    1, (SELECT max(number) FROM feed_entry), (SELECT max(horizon_number) FROM feed_topic)), true);
DROP FUNCTION change_notice_restore();
DROP TABLE change, change_horizon;
"""

DRAW = """
CREATE FUNCTION feed_draw(of_topic smallint) RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    -- Where a transaction remembers its number. If a savepoint is rolled back in which it was drawn, the lock goes
    -- together with this, and with all that was written under it.
    place CONSTANT text := 'armillary.feed_' || of_topic;
    own bigint := nullif(current_setting(place, true), '');
BEGIN
    IF own IS NULL THEN
        -- Readers are held back below the last number before the next one is drawn. A plain SELECT of the sequence
        -- is not enough: nextval shows a value in the buffer for a moment that is 32 higher, the one for the log.
        PERFORM pg_advisory_xact_lock_shared(
            ((17920 + of_topic)::bigint << 48) | pg_sequence_last_value('public.feed_number'));
        own := nextval('public.feed_number');
        PERFORM set_config(place, own::text, true);
    END IF;
    RETURN own;
END $$
"""

APPEND = """
CREATE FUNCTION feed_append(to_topic text, keys text[], payloads jsonb[]) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
-- What runs beside this is a few rows at the end of the index, whatever was known of the table at first.
SET enable_seqscan = off
AS $$
DECLARE
    of_topic smallint;
    own bigint;
BEGIN
    -- Who has nothing to tell holds nobody back.
    IF coalesce(cardinality(keys), 0) = 0 THEN
        RETURN;
    END IF;
    SELECT t.id INTO of_topic FROM public.feed_topic AS t WHERE t.name = to_topic;
    IF of_topic IS NULL THEN
        RAISE EXCEPTION 'the feed has no topic %', quote_literal(to_topic);
    END IF;
    own := public.feed_draw(of_topic);
    -- Entries of a key come in the order in which they are written, whichever transaction drew first. Nobody has
    -- read as far as the later number, since the own lock holds readers back below the own one.
    INSERT INTO public.feed_entry (topic, generation, number, key, payload)
    WITH ahead AS (
        SELECT e.key, max(e.number) AS number FROM public.feed_entry AS e
        WHERE e.topic = of_topic AND e.generation = (SELECT max(g.number) FROM public.feed_generation AS g)
            AND e.number > own AND e.key = ANY (keys)
        GROUP BY e.key
    )
    SELECT of_topic, (SELECT max(g.number) FROM public.feed_generation AS g), coalesce(ahead.number, own),
        new.key, new.payload
    FROM unnest(keys, payloads) WITH ORDINALITY AS new (key, payload, place)
    LEFT JOIN ahead ON ahead.key = new.key
    ORDER BY new.place;
    PERFORM pg_notify('feed_' || to_topic, '');
END $$
"""

SETTLED = """
CREATE FUNCTION feed_settled(to_topic text) RETURNS bigint LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    drawn bigint;
    held bigint;
BEGIN
    -- The statement that follows must see what was committed until now.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the feed cannot be read in a snapshot';
    END IF;
    -- In this order: who takes a lock after the look at the locks draws a number above this one.
    drawn := pg_sequence_last_value('public.feed_number');
    SELECT min(((l.classid::bigint & 65535) << 32) | l.objid::bigint) INTO held
    FROM pg_locks AS l
    -- One bigint, and shared: those of others that might look alike are exclusive.
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.mode = 'ShareLock'
        AND l.classid::bigint >> 16 = 17920 + (SELECT t.id FROM public.feed_topic AS t WHERE t.name = to_topic)
        AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    RETURN least(drawn, held);
END $$
"""

# Transaction ids of a new server are smaller than those that a dump brings along. They do not rise with the
# numbers exactly, so the last entries of each topic are looked at. A sequence that is behind tells of it, too.
NOTICE = """
CREATE FUNCTION feed_notice_restore() RETURNS boolean LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH latest AS (SELECT max(number) AS number FROM public.feed_generation),
    ends AS (
        SELECT e.number, e.xid FROM latest, public.feed_topic AS t CROSS JOIN LATERAL (
            SELECT e.number, e.xid FROM public.feed_entry AS e
            WHERE e.topic = t.id AND e.generation = (SELECT number FROM latest)
            ORDER BY e.number DESC, e.id DESC LIMIT 1000
        ) AS e
    ),
    begun AS (
        INSERT INTO public.feed_generation (number)
        SELECT number + 1 FROM latest
        WHERE EXISTS (
            SELECT FROM ends AS e WHERE e.xid >= pg_snapshot_xmax(pg_current_snapshot())
                OR e.number > pg_sequence_last_value('public.feed_number')
        )
        ON CONFLICT DO NOTHING RETURNING number
    )
    SELECT EXISTS (SELECT FROM begun)
$$
"""

NOTE = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp{settings}
AS $$
BEGIN
    PERFORM public.feed_append(
        'versions', array_agg(v.id::text ORDER BY v.id),
        array_agg(jsonb_build_object(
            'kind', {kind}, 'file', v.file_id, 'present', {present}, 'canonical', {canonical}) ORDER BY v.id))
    FROM {rows};
    RETURN NULL;
END $$
"""

RECORDED = NOTE.format(
    name="change_note_recorded",
    settings="",
    kind="""CASE WHEN v.previous_id IS NULL AND NOT EXISTS (
            SELECT FROM public.version AS e WHERE e.file_id = v.file_id AND e.id < v.id
        ) THEN 'added' ELSE 'changed' END""",
    present="v.present",
    canonical="v.canonical",
    rows="recorded AS v",
)

# A session plans this once, by the first statement that it sees, which may be one of a single row. A nested
# loop is good for that, and takes a quarter of a minute for ten thousand.
STANDING = NOTE.format(
    name="change_note_standing",
    settings="\nSET enable_nestloop = off",
    kind="""CASE WHEN o.canonical AND NOT v.canonical THEN 'superseded'
            WHEN o.present AND NOT v.present THEN 'absent'
            WHEN o.data_md5 IS DISTINCT FROM v.data_md5 THEN 'digests'
            ELSE 'restored' END""",
    present="v.present",
    canonical="v.canonical",
    rows="""before AS o JOIN after AS v ON v.id = o.id
    WHERE (o.present, o.canonical) IS DISTINCT FROM (v.present, v.canonical)
        OR o.data_md5 IS DISTINCT FROM v.data_md5""",
)

FORGOTTEN = NOTE.format(
    name="change_note_forgotten",
    settings="",
    kind="'forgotten'",
    present="false",
    canonical="false",
    rows="forgotten AS v",
)

# Numbers were drawn above all ids of transactions, so whoever starts next begins a new generation.
BACK = """
ALTER TABLE feed_generation RENAME CONSTRAINT feed_generation_pk TO change_generation_pk;
ALTER TABLE feed_generation RENAME TO change_generation;
CREATE TABLE change (
    id bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    generation integer NOT NULL,
    file_id bigint NOT NULL,
    version_id bigint NOT NULL,
    present boolean NOT NULL,
    canonical boolean NOT NULL,
    kind text NOT NULL CONSTRAINT change_kind_known
        CHECK (kind IN ('added', 'changed', 'superseded', 'absent', 'restored', 'digests', 'forgotten')),
    noted timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT change_pk PRIMARY KEY (generation, xid, id)
);
INSERT INTO change (id, xid, generation, file_id, version_id, present, canonical, kind, noted)
    OVERRIDING SYSTEM VALUE
SELECT e.id, e.number::text::xid8, e.generation, (e.payload->>'file')::bigint, e.key::bigint,
    (e.payload->>'present')::boolean, (e.payload->>'canonical')::boolean, e.payload->>'kind', e.noted
FROM feed_entry AS e JOIN feed_topic AS t ON t.id = e.topic WHERE t.name = 'versions';
SELECT setval('change_id_seq', s.last_value, s.is_called) FROM feed_entry_id_seq AS s;
CREATE TABLE change_horizon (
    single boolean DEFAULT true CONSTRAINT change_horizon_pk PRIMARY KEY
        CONSTRAINT change_horizon_one CHECK (single),
    generation integer NOT NULL,
    xid xid8 NOT NULL,
    id bigint NOT NULL
);
INSERT INTO change_horizon (generation, xid, id)
SELECT horizon_generation, horizon_number::text::xid8, horizon_id FROM feed_topic
WHERE name = 'versions' AND horizon_generation > 0;
DROP FUNCTION feed_notice_restore(), feed_settled(text), feed_append(text, text[], jsonb[]), feed_draw(smallint);
DROP TABLE feed_consumer, feed_entry, feed_topic;
DROP SEQUENCE feed_number;
"""


def upgrade() -> None:
    """Move the changes to the topic of versions, and let triggers write there."""
    execute(TABLES)
    execute(MOVE)
    for function in (DRAW, APPEND, SETTLED, NOTICE, RECORDED, STANDING, FORGOTTEN):
        op.execute(function)
    grant(WORKER, "SELECT, INSERT, DELETE", "feed_entry")
    grant(WORKER, "SELECT, UPDATE", "feed_topic")
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "feed_consumer")
    grant(WEB, "SELECT", "feed_entry", "feed_topic", "feed_consumer")
    op.execute(f"GRANT SELECT, USAGE ON SEQUENCE feed_number TO {WORKER}")
    op.execute(f"GRANT SELECT ON SEQUENCE feed_number TO {WEB}")


def downgrade() -> None:
    """Move the changes back; other topics and all consumers are lost."""
    first, order = (
        import_module(f"armillary.migrations.versions.{name}")
        for name in ("0004_changes", "0010_order_of_changes")
    )
    execute(BACK)
    op.execute(first.NOTICE)
    for function in (first.RECORDED, order.STANDING, order.FORGOTTEN):
        op.execute(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    grant(WORKER, "SELECT, INSERT, DELETE", "change")
    grant(WORKER, "SELECT, INSERT, UPDATE", "change_horizon")
    grant(WEB, "SELECT", "change", "change_horizon")
