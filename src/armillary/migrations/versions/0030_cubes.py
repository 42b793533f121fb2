"""Keep cubes: what files of ingestion roots are by their oids, with tags, derived data and observations.

A root with a profile is an ingestion root: its files come in one by one, each by an order with steps.
"""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# An order is named by the number of its path, which outlives the rows of its runs.
TABLES = """
ALTER TABLE root ADD COLUMN profile text;
CREATE TABLE ingestion (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT ingestion_pk PRIMARY KEY,
    root_id smallint NOT NULL,
    path text NOT NULL,
    CONSTRAINT ingestion_of_place UNIQUE (root_id, path)
);
CREATE TABLE observation (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT observation_pk PRIMARY KEY,
    key text NOT NULL CONSTRAINT observation_of_key UNIQUE,
    date_beg timestamptz,
    date_end timestamptz
);
CREATE TABLE cube (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT cube_pk PRIMARY KEY,
    oid text NOT NULL CONSTRAINT cube_of_oid UNIQUE,
    oid_given boolean NOT NULL,
    file_id bigint NOT NULL,
    root_id smallint NOT NULL,
    path text NOT NULL,
    instrument text NOT NULL,
    observation_id bigint NOT NULL CONSTRAINT cube_in_observation REFERENCES observation,
    date_beg timestamptz,
    date_end timestamptz,
    made timestamptz,
    grouping_tag text,
    features_ingested boolean NOT NULL,
    events_ingested boolean NOT NULL,
    published boolean NOT NULL,
    warnings text[] NOT NULL,
    snapshot jsonb NOT NULL,
    added timestamptz NOT NULL,
    updated timestamptz NOT NULL
);
CREATE INDEX cube_of_file ON cube (file_id);
CREATE INDEX cube_of_place ON cube (root_id, path);
CREATE INDEX cube_of_observation ON cube (observation_id);
CREATE INDEX cube_of_time ON cube (date_beg, date_end);
CREATE TABLE cube_tag (
    cube_id bigint NOT NULL CONSTRAINT cube_tag_of_cube REFERENCES cube ON DELETE CASCADE,
    vocabulary text NOT NULL,
    term text NOT NULL,
    CONSTRAINT cube_tag_pk PRIMARY KEY (cube_id, vocabulary, term)
);
CREATE INDEX cube_tag_of_term ON cube_tag (vocabulary, term);
CREATE TABLE cube_derived (
    cube_id bigint NOT NULL CONSTRAINT cube_derived_of_cube REFERENCES cube ON DELETE CASCADE,
    kind text NOT NULL,
    media_type text NOT NULL,
    content bytea NOT NULL,
    made timestamptz NOT NULL,
    CONSTRAINT cube_derived_pk PRIMARY KEY (cube_id, kind)
);
CREATE TABLE retirement (
    root_id smallint NOT NULL,
    path text NOT NULL,
    size bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    retired timestamptz NOT NULL,
    actor text NOT NULL,
    CONSTRAINT retirement_pk PRIMARY KEY (root_id, path)
);
INSERT INTO work_web_kind (kind) VALUES ('ingest_cube');
"""

BACK = """
DELETE FROM work_web_kind WHERE kind = 'ingest_cube';
DELETE FROM work_order WHERE kind = 'ingest_cube';
DROP TABLE retirement;
DROP TABLE cube_derived;
DROP TABLE cube_tag;
DROP TABLE cube;
DROP TABLE observation;
DROP TABLE ingestion;
ALTER TABLE root DROP COLUMN profile;
"""

CUBES = ("observation", "cube", "cube_tag", "cube_derived", "retirement")


def upgrade() -> None:
    """Add the tables; the web process may name paths, and submit their orders."""
    execute(TABLES)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "ingestion", *CUBES)
    grant(WEB, "SELECT", *CUBES)
    grant(WEB, "SELECT, INSERT", "ingestion")


def downgrade() -> None:
    """Forget cubes; files and frames stay."""
    execute(BACK)
