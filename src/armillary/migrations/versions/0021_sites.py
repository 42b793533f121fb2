"""Add what is kept of sites: configurations with their history, notes and the night log, control rooms.

Versions of configurations and entries of the night log are only ever added: no role but the owner may change or
delete them. Every version is told on the feed.
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# A version without content records that the configuration was deleted. Contents are texts, since jsonb would
# change numbers, forget the order of keys and refuse some texts.
CONFIGS = """
CREATE TABLE site_config (
    site text CONSTRAINT site_config_pk PRIMARY KEY
        CONSTRAINT site_config_name CHECK (site ~ '^[A-Za-z0-9_.-]{1,32}$'),
    version integer NOT NULL CONSTRAINT site_config_version_counts CHECK (version >= 0)
);
CREATE TABLE site_config_version (
    site text NOT NULL CONSTRAINT site_config_version_of_site REFERENCES site_config,
    version integer NOT NULL CONSTRAINT site_config_version_from_one CHECK (version >= 1),
    created timestamptz NOT NULL,
    actor text NOT NULL,
    sha256 text,
    warnings text[] NOT NULL,
    content text,
    CONSTRAINT site_config_version_pk PRIMARY KEY (site, version),
    CONSTRAINT site_config_version_has_digest CHECK ((content IS NULL) = (sha256 IS NULL))
);
INSERT INTO feed_topic (id, name) SELECT max(id) + 1, 'site-configurations' FROM feed_topic;
"""

TELL = """
CREATE FUNCTION site_config_tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM public.feed_append('site-configurations', ARRAY[NEW.site],
        ARRAY[jsonb_build_object('version', NEW.version, 'deleted', NEW.content IS NULL)]);
    RETURN NULL;
END $$
"""

REST = """
CREATE TRIGGER site_config_told AFTER INSERT ON site_config_version
    FOR EACH ROW EXECUTE FUNCTION site_config_tell();
CREATE TABLE night_note (
    site text CONSTRAINT night_note_pk PRIMARY KEY,
    content text NOT NULL,
    created timestamptz NOT NULL,
    expires timestamptz NOT NULL CONSTRAINT night_note_lives CHECK (expires > created)
);
CREATE TABLE night_log (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT night_log_pk PRIMARY KEY,
    site text NOT NULL,
    night date NOT NULL,
    created timestamptz NOT NULL,
    author text NOT NULL,
    verified boolean NOT NULL,
    entry text NOT NULL,
    note text,
    corrects bigint CONSTRAINT night_log_corrects_entry REFERENCES night_log
);
CREATE INDEX night_log_by_site ON night_log (site, id);
CREATE INDEX night_log_by_night ON night_log (site, night, id);
CREATE TABLE control_room (
    site text CONSTRAINT control_room_pk PRIMARY KEY,
    provider text NOT NULL,
    room_id text NOT NULL,
    slug text NOT NULL,
    url text NOT NULL,
    config json NOT NULL,
    configured boolean NOT NULL,
    made timestamptz NOT NULL,
    expires timestamptz
);
CREATE TABLE control_room_left (
    provider text NOT NULL,
    slug text NOT NULL,
    room_id text NOT NULL,
    site text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT control_room_left_pk PRIMARY KEY (provider, slug)
);
INSERT INTO work_web_kind (kind) VALUES ('room');
"""
"""``night_log.note`` is the note as it was sent, if the entry was one. What is in ``control_room_left`` is still
to be deleted at its provider."""

DOWNGRADE = """
DELETE FROM work_web_kind WHERE kind = 'room';
DROP TABLE control_room_left, control_room, night_log, night_note, site_config_version, site_config;
DROP FUNCTION site_config_tell();
DELETE FROM feed_consumer USING feed_topic AS t WHERE t.id = topic AND t.name = 'site-configurations';
DELETE FROM feed_entry USING feed_topic AS t WHERE t.id = topic AND t.name = 'site-configurations';
DELETE FROM feed_topic WHERE name = 'site-configurations';
"""


def upgrade() -> None:
    """Create the tables."""
    execute(CONFIGS)
    op.execute(TELL)
    execute(REST)
    for role in (WORKER, WEB):
        grant(role, "SELECT, INSERT, UPDATE (version)", "site_config")
        grant(role, "SELECT, INSERT", "site_config_version", "night_log")
        grant(role, "SELECT, INSERT, UPDATE, DELETE", "night_note")
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "control_room", "control_room_left")
    grant(WEB, "SELECT", "control_room")


def downgrade() -> None:
    """Lose what is kept of sites."""
    execute(DOWNGRADE)
