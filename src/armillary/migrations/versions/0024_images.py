"""Keep images: what the files of one base name are together, and how they came in.

An image is one row however its files arrive: a header, FITS files, pictures. The columns of searches follow from
its header. Information images stand in slots, three to a site. The log of arrivals is kept for two days.

The key that signs URLs is made here, so that every process of an archive has the same one, before and after any
restart.
"""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

IMAGES = """
CREATE TABLE image (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT image_pk PRIMARY KEY,
    directory text NOT NULL,
    base_filename text NOT NULL,
    site text NOT NULL,
    data_type text NOT NULL,
    arrived timestamptz NOT NULL,
    expires timestamptz,
    capture_date timestamptz,
    sort_date timestamptz NOT NULL,
    release_date date,
    right_ascension double precision,
    declination double precision,
    ra_deg double precision,
    altitude double precision,
    azimuth double precision,
    airmass double precision,
    exposure_time double precision,
    filter_used text,
    user_id text,
    username text,
    stack bigint,
    stack_number bigint,
    shown json NOT NULL DEFAULT '{}',
    header json,
    header_from text CONSTRAINT image_header_from_known CHECK (header_from IN ('text', 'request', 'fits')),
    warnings text[] NOT NULL DEFAULT '{}',
    objects text[] NOT NULL DEFAULT '{}',
    fits_01_key text,
    fits_01_rank smallint,
    fits_10_key text,
    fits_10_rank smallint,
    jpg_medium_key text,
    jpg_medium_rank smallint,
    jpg_small_key text,
    jpg_small_rank smallint,
    CONSTRAINT image_once UNIQUE (directory, base_filename)
);
CREATE INDEX image_of_site ON image (site, sort_date DESC, id DESC) WHERE jpg_medium_key IS NOT NULL;
CREATE INDEX image_by_time ON image (sort_date DESC, id DESC) WHERE jpg_medium_key IS NOT NULL;
CREATE INDEX image_of_user ON image (user_id, sort_date DESC, id DESC) WHERE jpg_medium_key IS NOT NULL;
CREATE INDEX image_captured ON image (site, capture_date);
CREATE INDEX image_by_base ON image (base_filename text_pattern_ops);
CREATE INDEX image_stacks ON image (site, stack, stack_number) WHERE stack IS NOT NULL;
CREATE INDEX image_expires ON image (expires) WHERE expires IS NOT NULL;
"""

ARRIVALS = """
CREATE TABLE arrival (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT arrival_pk PRIMARY KEY,
    site text NOT NULL,
    filename text NOT NULL,
    size_bytes bigint NOT NULL,
    arrived timestamptz NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX arrival_of_site ON arrival (site, id);
CREATE INDEX arrival_expires ON arrival (expires);
CREATE TABLE info_reservation (
    site text NOT NULL,
    channel smallint NOT NULL CONSTRAINT info_reservation_channel_known CHECK (channel BETWEEN 1 AND 3),
    base_filename text NOT NULL,
    reserved timestamptz NOT NULL,
    CONSTRAINT info_reservation_pk PRIMARY KEY (site, channel)
);
CREATE TABLE info_image (
    site text NOT NULL,
    channel smallint NOT NULL CONSTRAINT info_image_channel_known CHECK (channel BETWEEN 1 AND 3),
    base_filename text NOT NULL,
    data_type text,
    file_date text,
    expires timestamptz NOT NULL,
    objects jsonb NOT NULL DEFAULT '{}',
    header json,
    CONSTRAINT info_image_pk PRIMARY KEY (site, channel)
);
"""

DOWNLOADS = """
CREATE TABLE object_crc32 (
    version_id bigint CONSTRAINT object_crc32_pk PRIMARY KEY
        CONSTRAINT object_crc32_of_version REFERENCES version ON DELETE CASCADE,
    crc32 bigint NOT NULL
);
CREATE TABLE zip_selection (
    id uuid CONSTRAINT zip_selection_pk PRIMARY KEY,
    filename text NOT NULL,
    made timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    members jsonb NOT NULL
);
CREATE INDEX zip_selection_expires ON zip_selection (expires);
CREATE TABLE signing_key (
    purpose text CONSTRAINT signing_key_pk PRIMARY KEY,
    key bytea NOT NULL
);
INSERT INTO signing_key (purpose, key)
SELECT 'urls', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
INSERT INTO feed_topic (id, name) SELECT max(id) + 1, 'imagedata' FROM feed_topic;
INSERT INTO work_web_kind VALUES ('tif'), ('unpacked');
"""

DOWNGRADE = """
DELETE FROM work_web_kind WHERE kind IN ('tif', 'unpacked');
DELETE FROM feed_consumer USING feed_topic AS t WHERE t.id = topic AND t.name = 'imagedata';
DELETE FROM feed_entry USING feed_topic AS t WHERE t.id = topic AND t.name = 'imagedata';
DELETE FROM feed_topic WHERE name = 'imagedata';
DROP TABLE signing_key, zip_selection, object_crc32, info_image, info_reservation, arrival, image;
"""

HEADER = """
    sort_date, capture_date, release_date, right_ascension, declination, ra_deg, altitude, azimuth, airmass,
    exposure_time, filter_used, user_id, username, stack, stack_number, shown, header, header_from, warnings
"""
"""What a header that comes with a request may fill."""
TABLES = ("image", "arrival", "info_reservation", "info_image", "object_crc32", "zip_selection")


def upgrade() -> None:
    """Make room for images; the web role reserves slots, notes headers that come with requests, freezes zips."""
    for script in (IMAGES, ARRIVALS, DOWNLOADS):
        execute(script)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", *TABLES)
    grant(WORKER, "SELECT", "signing_key")
    grant(WEB, "SELECT", *TABLES, "signing_key")
    grant(WEB, "INSERT, UPDATE", "info_reservation")
    grant(WEB, "INSERT", "zip_selection", "image")
    grant(WEB, f"UPDATE ({HEADER})", "image")


def downgrade() -> None:
    """Forget images; their files stay where they are, as files of the catalog."""
    execute(DOWNGRADE)
