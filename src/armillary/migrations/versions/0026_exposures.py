"""Keep exposures, the revisions of their headers, the services that make them, and who waits for them.

An exposure is one row from the first event that names its image; its row and the position of the service on the
bus are written together. A revision and its announcement are one transaction, too. Commands are rows, which is
also the record of who gave them.
"""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

STATES = "'OPEN', 'INTEGRATING', 'READOUT', 'TELEMETRY_DONE', 'RENDERED', 'PUBLISHED', 'FAILED', 'ABORTED'"

EXPOSURES = f"""
CREATE TABLE header_config (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT header_config_pk PRIMARY KEY,
    instrument text NOT NULL,
    digest text NOT NULL,
    config_rev text NOT NULL,
    recipe bytea NOT NULL,
    templates bytea NOT NULL,
    noted timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT header_config_once UNIQUE (instrument, digest)
);
CREATE TABLE exposure (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT exposure_pk PRIMARY KEY,
    instrument text NOT NULL,
    image_id text NOT NULL,
    named text NOT NULL,
    state text NOT NULL CONSTRAINT exposure_state_known CHECK (state IN ({STATES})),
    reason text,
    config bigint NOT NULL CONSTRAINT exposure_of_config REFERENCES header_config,
    moments text NOT NULL DEFAULT '{{}}',
    opened timestamptz NOT NULL DEFAULT now(),
    opened_at bigint NOT NULL,
    last_t bigint NOT NULL,
    day_obs text,
    latest json NOT NULL DEFAULT '{{}}',
    changed bigint NOT NULL,
    rendered bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    due bigint,
    due_because text,
    CONSTRAINT exposure_once UNIQUE (instrument, image_id)
);
CREATE INDEX exposure_named ON exposure (instrument, named);
CREATE INDEX exposure_due ON exposure (instrument, due) WHERE due IS NOT NULL;
CREATE INDEX exposure_recent ON exposure (instrument, id DESC);
CREATE INDEX exposure_last ON exposure (instrument, last_t);
CREATE TABLE exposure_transition (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT exposure_transition_pk PRIMARY KEY,
    exposure bigint NOT NULL CONSTRAINT exposure_transition_of REFERENCES exposure ON DELETE CASCADE,
    state text NOT NULL CONSTRAINT exposure_transition_state_known CHECK (state IN ({STATES})),
    cause text NOT NULL,
    revision integer,
    noted timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX exposure_transition_of_exposure ON exposure_transition (exposure, id);
"""

REVISIONS = """
CREATE TABLE header_revision (
    exposure bigint NOT NULL CONSTRAINT header_revision_of REFERENCES exposure ON DELETE CASCADE,
    product text NOT NULL,
    revision integer NOT NULL CONSTRAINT header_revision_positive CHECK (revision > 0),
    instrument text NOT NULL,
    image_id text NOT NULL,
    day_obs text NOT NULL,
    content_hash text NOT NULL,
    inputs_hash text NOT NULL,
    complete boolean NOT NULL,
    announcement json NOT NULL,
    difference json NOT NULL DEFAULT '[]',
    sidecar bytea NOT NULL,
    created bigint NOT NULL,
    noted timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT header_revision_pk PRIMARY KEY (exposure, product, revision),
    CONSTRAINT header_revision_once UNIQUE (instrument, image_id, product, revision)
);
ALTER TABLE header_revision ALTER COLUMN sidecar SET STORAGE EXTERNAL;
CREATE INDEX header_revision_of_night ON header_revision (instrument, day_obs);
CREATE TABLE header_object (
    exposure bigint NOT NULL,
    product text NOT NULL,
    revision integer NOT NULL,
    extension text NOT NULL,
    key text NOT NULL,
    url text,
    size_bytes bigint,
    sha256 text,
    stored timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT header_object_pk PRIMARY KEY (exposure, product, revision, extension),
    CONSTRAINT header_object_of FOREIGN KEY (exposure, product, revision)
        REFERENCES header_revision ON DELETE CASCADE
);
CREATE INDEX header_object_missing ON header_object (not_before) WHERE stored IS NULL;
INSERT INTO feed_topic (id, name) SELECT max(id) + 1, 'headers' FROM feed_topic;
"""

SERVICES = """
CREATE TABLE header_service (
    instrument text CONSTRAINT header_service_pk PRIMARY KEY,
    state text NOT NULL CONSTRAINT header_service_state_known
        CHECK (state IN ('STANDBY', 'DISABLED', 'ENABLED', 'FAULT', 'OFFLINE')),
    error_code text,
    message text,
    config bigint CONSTRAINT header_service_of_config REFERENCES header_config,
    epoch bigint NOT NULL DEFAULT 0,
    since timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE header_beat (
    instrument text CONSTRAINT header_beat_pk PRIMARY KEY,
    beat timestamptz NOT NULL,
    facts json NOT NULL,
    metrics text NOT NULL
);
CREATE TABLE header_command (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT header_command_pk PRIMARY KEY,
    instrument text NOT NULL,
    name text NOT NULL,
    arguments json NOT NULL DEFAULT '{}',
    actor text NOT NULL,
    asked timestamptz NOT NULL DEFAULT clock_timestamp(),
    done timestamptz,
    outcome text CONSTRAINT header_command_outcome_known
        CHECK (outcome IN ('done', 'refused', 'failed', 'withdrawn')),
    code text,
    reason text,
    result json
);
CREATE INDEX header_command_waiting ON header_command (instrument, id) WHERE outcome IS NULL;
"""

CONSUMERS = """
CREATE TABLE header_consumer (
    name text CONSTRAINT header_consumer_pk PRIMARY KEY,
    instruments text[],
    generation integer NOT NULL,
    number bigint NOT NULL,
    id bigint NOT NULL,
    registered timestamptz NOT NULL DEFAULT now(),
    seen timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE header_taken (
    consumer text NOT NULL CONSTRAINT header_taken_by REFERENCES header_consumer ON DELETE CASCADE,
    instrument text NOT NULL,
    image_id text NOT NULL,
    product text NOT NULL,
    revision integer NOT NULL,
    CONSTRAINT header_taken_pk PRIMARY KEY (consumer, instrument, image_id, product)
);
CREATE TABLE header_shown (
    consumer text NOT NULL CONSTRAINT header_shown_to REFERENCES header_consumer ON DELETE CASCADE,
    generation integer NOT NULL,
    number bigint NOT NULL,
    id bigint NOT NULL,
    instrument text NOT NULL,
    image_id text NOT NULL,
    product text NOT NULL,
    revision integer NOT NULL,
    CONSTRAINT header_shown_pk PRIMARY KEY (consumer, generation, number, id)
);
"""

DOWNGRADE = """
DROP TABLE header_shown, header_taken, header_consumer, header_command, header_beat, header_service;
DELETE FROM feed_consumer USING feed_topic AS t WHERE t.id = topic AND t.name = 'headers';
DELETE FROM feed_entry USING feed_topic AS t WHERE t.id = topic AND t.name = 'headers';
DELETE FROM feed_topic WHERE name = 'headers';
DROP TABLE header_object, header_revision, exposure_transition, exposure, header_config;
"""

OF_SERVICES = (
    "header_config",
    "exposure",
    "exposure_transition",
    "header_revision",
    "header_object",
    "header_service",
    "header_beat",
)
OF_CONSUMERS = ("header_consumer", "header_taken", "header_shown")


def upgrade() -> None:
    """Make room for exposures and headers; the web role gives commands and serves consumers."""
    for script in (EXPOSURES, REVISIONS, SERVICES, CONSUMERS):
        execute(script)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", *OF_SERVICES, *OF_CONSUMERS, "header_command")
    grant(WEB, "SELECT", *OF_SERVICES, "header_command")
    grant(WEB, "INSERT, UPDATE", "header_command")
    grant(WEB, "SELECT, INSERT, UPDATE, DELETE", *OF_CONSUMERS)


def downgrade() -> None:
    """Forget exposures and headers; samples stay on the bus."""
    execute(DOWNGRADE)
